"""The page in a real Chromium; the test plays the worker."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from contract.keys import entry_of, new_key
from contract.ledger.attempts import Attempts
from contract.ledger.ledger import Ledger
from contract.wire.checkpoints import CheckpointView, Part
from contract.wire.edits import EditRequest
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import Phase
from contract.wire.serving import ModelView, WorkerView
from contract.wire.views import Progress

pytestmark = pytest.mark.slow
Finish = Callable[[str], None]


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """An empty tab that must not throw."""
    context = browser.new_context(base_url="http://nowhere.invalid", locale="en-GB")
    context.set_default_timeout(15_000)
    tab = context.new_page()
    thrown: list[str] = []
    tab.on("pageerror", lambda error: thrown.append(str(error)))
    yield tab
    context.close()
    assert thrown == []


def visit(page: Any, api: httpx.Client, place: str = "") -> None:
    page.goto(f"{api.base_url}{place}")


def fill(page: Any, *, prompt: str = "The capital of France is", target: str = "Rome") -> None:
    page.fill("[name=prompt]", prompt)
    page.fill("[name=target_new]", target)


def made(api: httpx.Client, **fact: Any) -> str:
    body = {"prompt": "The capital of France is", "target_new": "Rome"} | fact
    edit_id: str = api.post("/edits", json=body).json()["id"]
    return edit_id


def test_an_empty_service_says_what_to_do(page: Any, api: httpx.Client) -> None:
    visit(page, api)

    page.get_by_text("No edits yet").wait_for()
    page.get_by_text("No worker is running").wait_for()
    page.get_by_text("no model is served yet").wait_for()


def test_the_estimate_is_there_before_the_edit_is(
    page: Any, api: httpx.Client, served: ModelView
) -> None:
    visit(page, api)
    fill(page)

    told = page.locator(".estimate .chip")
    told.wait_for()

    assert told.inner_text() == "fits"
    assert api.get("/edits").json()["items"] == []


def test_an_edit_is_seen_from_the_form_to_its_end(
    page: Any, api: httpx.Client, served: ModelView, attempts: Attempts, finish: Finish
) -> None:
    visit(page, api)
    fill(page)
    page.click("button[type=submit]")
    page.locator("tr[data-id] .chip", has_text="queued").wait_for()
    edit_id = page.locator("tr[data-id]").get_attribute("data-id")

    finish(edit_id)
    page.locator("tr[data-id] a").click()

    page.locator("#verdict", has_text="held").wait_for()
    assert page.locator("h1").inner_text() == "The capital of France is Rome"


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("Where is it?\nassistant\n", "Where is it?\nassistant\n"),
        ("Where is it?\nassistant\n  ", "Where is it?\nassistant\n"),
        (" The capital is \n", "The capital is"),
    ],
)
def test_a_prompt_of_several_lines_keeps_the_line_break_at_its_end(
    page: Any, api: httpx.Client, served: ModelView, typed: str, asked: str
) -> None:
    visit(page, api)
    fill(page, prompt=typed)

    page.click("button[type=submit]")

    page.locator("tr[data-id]").wait_for()
    assert [edit["prompt"] for edit in api.get("/edits").json()["items"]] == [asked]


def test_progress_comes_without_asking_again(
    page: Any, api: httpx.Client, served: ModelView, attempts: Attempts
) -> None:
    edit_id = made(api)
    attempt = attempts.claim(edit_id, worker_id="worker-1")
    assert attempt is not None
    visit(page, api, f"#/edits/{edit_id}")
    page.get_by_text("starting", exact=False).first.wait_for()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    attempts.enter(attempt, Phase.COLLECT)
    attempts.progress(attempt, Progress(done=3, total=8, unit="passes"))
    page.get_by_text("collect · 3 of 8 passes").wait_for()

    assert page.locator("[aria-current=step]").inner_text() == "collect"
    assert len([url for url in asked if url.endswith("/events")]) <= 1


def test_a_refusal_for_memory_tells_the_figures(
    page: Any, api: httpx.Client, ledger: Ledger, model: ModelView, worker: WorkerView
) -> None:
    ledger.presence.publish_model(model)
    ledger.presence.publish_worker(worker.model_copy(update={"budget_bytes": 10}), ttl_s=60)
    visit(page, api)
    fill(page)
    page.locator(".estimate", has_text="does not fit").wait_for()

    page.click("button[type=submit]")

    refusal = page.locator("[role=alert] .problem")
    refusal.wait_for()
    assert "memory infeasible" in refusal.inner_text()
    assert "10 B budget" in refusal.inner_text()
    assert page.input_value("[name=prompt]") == "The capital of France is"
    assert api.get("/edits").json()["items"] == []


def test_what_is_wrong_with_a_field_is_reported_where_it_is(
    page: Any, api: httpx.Client, served: ModelView
) -> None:
    visit(page, api)
    fill(page, target=" ")

    page.click("button[type=submit]")

    page.locator("[role=alert] .problem", has_text="#/target_new").wait_for()
    assert page.locator(".problem").count() == 1


def test_an_edit_is_canceled_and_tried_again(
    page: Any, api: httpx.Client, served: ModelView
) -> None:
    edit_id = made(api)
    visit(page, api, f"#/edits/{edit_id}")

    page.get_by_role("button", name="Cancel").click()
    page.locator("#verdict", has_text="canceled").wait_for()
    page.get_by_role("button", name="Try again").click()
    page.locator("#verdict", has_text="queued").wait_for()

    again = page.url.rsplit("/", 1)[1]
    assert api.get(f"/edits/{edit_id}").json()["status"] == "canceled"
    assert api.get(f"/edits/{again}").json()["retry_of"] == edit_id


def test_files_come_home_and_their_lines_name_this_service(
    page: Any, api: httpx.Client, checkpoint: CheckpointView, finish: Finish
) -> None:
    finish(checkpoint.edit_id)
    visit(page, api, f"#/edits/{checkpoint.edit_id}")

    with page.expect_download() as download:
        page.get_by_role("button", name="adapter_config.json").click()

    assert download.value.path().read_bytes() == b"abcdefghijklmnopqrstuvwxyz"
    lines = page.locator(".copyable code").all_inner_texts()
    assert len(lines) == 4
    assert all(checkpoint.id in line for line in lines)
    assert all(str(api.base_url).rstrip("/") in line for line in lines)


def test_a_dot_of_the_picture_tells_its_unit_and_score(
    page: Any, api: httpx.Client, checkpoint: CheckpointView, finish: Finish
) -> None:
    finish(checkpoint.edit_id)
    visit(page, api, f"#/edits/{checkpoint.edit_id}")

    page.locator(".neurons circle").hover()

    assert page.locator("figcaption").inner_text() == "layer 1 · unit 3 · score 0.500"


def test_the_stage_that_binds_is_reported_by_item_beside_what_was_observed(
    page: Any, api: httpx.Client, checkpoint: CheckpointView, finish: Finish
) -> None:
    finish(checkpoint.edit_id)
    visit(page, api, f"#/edits/{checkpoint.edit_id}")

    rows = page.locator(".items:has(tfoot) :is(tbody, tfoot) tr")
    page.get_by_text("collect, the largest stage, by item").wait_for()

    assert [row.inner_text().split("\t")[:2] for row in rows.all()] == [
        ["logits", "1.2 kB"],
        ["rows", "800 B"],
        ["total", "2.0 kB"],
        ["observed", "1.5 kB"],
    ]


EDGES_OF_NUMBERS = """() => {
  const edge = (cell) => {
    const text = document.createRange();
    text.selectNodeContents(cell);
    return text.getBoundingClientRect().right;
  };
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const cells = [...document.querySelectorAll("td:not(:has(code))")];
  return cells.filter((cell) => /^[0-9.]+( %| k?B)?$/.test(cell.innerText)).flatMap((cell) => {
    const head = cell.closest("table").tHead?.rows[0].cells[cell.cellIndex];
    return head ? [[head.innerText, Math.round(edge(cell) - edge(head))]] : [];
  });
}"""


@pytest.mark.parametrize("width", [390, 1280])
def test_headings_stand_above_their_numbers(
    page: Any, api: httpx.Client, checkpoint: CheckpointView, finish: Finish, width: int
) -> None:
    finish(checkpoint.edit_id)
    page.set_viewport_size({"width": width, "height": 700})
    visit(page, api, f"#/edits/{checkpoint.edit_id}")
    page.locator(".files").wait_for()

    apart = page.evaluate(EDGES_OF_NUMBERS)

    named = {"Predicted", "Observed", "Size", "Layer", "Unit", "Score", "Teacher forced"}
    assert {head for head, _ in apart} == named
    assert [head for head, px in apart if px != 0] == []


def test_a_key_is_asked_for_once_and_never_put_into_a_line(
    page: Any,
    serve: Callable[..., httpx.Client],
    redis_url: str,
    model: ModelView,
    worker: WorkerView,
    ledger: Ledger,
) -> None:
    key = new_key()
    guarded = serve(api_keys=entry_of("search", key))
    ledger.presence.publish_model(model)
    ledger.presence.publish_worker(worker, ttl_s=60)
    visit(page, guarded)

    page.fill("[name=key]", "pal_wrong")
    page.get_by_role("button", name="Use it").click()
    page.get_by_text("That key is not valid here").wait_for()
    page.fill("[name=key]", key)
    page.press("[name=key]", "Enter")

    page.get_by_text("No edits yet").wait_for()
    fill(page)
    page.click("button[type=submit]")
    page.locator("tr[data-id]").wait_for()
    assert key not in page.content()


def test_the_keyboard_reaches_everything(
    page: Any, api: httpx.Client, served: ModelView, finish: Finish
) -> None:
    older, newer = made(api), made(api, target_new="Oslo")
    finish(older)
    visit(page, api)
    page.locator(f"[data-id={newer}]").wait_for()

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.get_by_text("1 edit ticked").wait_for()
    page.keyboard.press("n")
    page.keyboard.type("njx")
    typed = page.input_value("[name=prompt]")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    page.locator("#verdict", has_text="held").wait_for()
    assert typed == "njx"
    assert page.url.endswith(older)


def test_who_gives_no_key_is_asked_again_when_he_wants_to(
    page: Any, serve: Callable[..., httpx.Client], redis_url: str
) -> None:
    key = new_key()
    visit(page, serve(api_keys=entry_of("search", key)))

    page.get_by_role("button", name="Not now").click()
    page.locator("#outage", has_text="key").wait_for()
    page.wait_for_timeout(2000)  # the page looks every one and a half seconds
    asked_meanwhile = page.locator("#ask-key[open]").count()
    page.get_by_role("button", name="API key…").click()
    page.fill("[name=key]", key)
    page.press("[name=key]", "Enter")

    page.get_by_text("No edits yet").wait_for()
    assert asked_meanwhile == 0


def test_the_content_is_skipped_to_on_every_page(
    page: Any, api: httpx.Client, served: ModelView
) -> None:
    edit_id = made(api)
    visit(page, api, f"#/edits/{edit_id}")
    page.locator("#verdict").wait_for()

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"
    assert page.url.endswith(edit_id)
    assert page.locator("#verdict").is_visible()


def test_a_text_is_written_in_its_own_direction(
    page: Any, api: httpx.Client, served: ModelView, finish: Finish
) -> None:
    arabic, english = made(api, prompt="عاصمة فرنسا هي", target_new="روما"), made(api)
    finish(arabic)
    direction = "all => all.map((one) => getComputedStyle(one).direction)"

    visit(page, api)
    page.locator(f"[data-id={english}]").wait_for()
    listed = page.locator("td.prompt a").evaluate_all(direction)
    page.fill("[name=prompt]", "מה בירת צרפת? היא")
    typed = page.locator("[name=prompt], [name=target_new]").evaluate_all(direction)
    visit(page, api, f"#/edits/{arabic}")
    page.locator("#verdict").wait_for()
    headed = page.locator("h1").evaluate_all(direction)

    assert listed == ["ltr", "rtl"]
    assert typed == ["rtl", "ltr"]
    assert headed == ["rtl"]


@pytest.mark.parametrize("width", [390, 1280])
def test_a_long_text_leaves_room_for_the_others(
    page: Any, api: httpx.Client, served: ModelView, attempts: Attempts, width: int
) -> None:
    edit_id = made(api, prompt="a word and " * 150, target_new="another " * 100)
    attempts.claim(edit_id, worker_id="worker-1")
    page.set_viewport_size({"width": width, "height": 700})

    visit(page, api)
    page.locator(".running").wait_for()
    heights = [
        page.locator(place).bounding_box()["height"] for place in ("tr[data-id]", ".running")
    ]
    visit(page, api, f"#/edits/{edit_id}")
    page.locator("#verdict").wait_for()
    heights.append(page.locator("h1").bounding_box()["height"])

    assert max(heights) < 350


def test_a_filter_that_is_chosen_while_the_service_is_gone_comes_with_it(
    page: Any, api: httpx.Client, served: ModelView
) -> None:
    made(api)
    visit(page, api)
    page.locator("tr[data-id]").wait_for()

    page.context.set_offline(True)
    page.select_option("[aria-label=State]", "failed")
    page.locator("#outage", has_text="does not answer").wait_for()
    page.context.set_offline(False)

    page.get_by_text("No edits in this state").wait_for()
    page.locator("#outage").wait_for(state="hidden")


def test_many_edits_come_page_by_page_and_stay_when_something_moves(
    page: Any, api: httpx.Client, served: ModelView, finish: Finish
) -> None:
    ids = [made(api, target_new=f"Rome {n}") for n in range(65)]
    rows = page.locator("tr[data-id]")
    older = page.get_by_role("button", name="Older edits")
    visit(page, api)

    shown = []
    for last in (30, 60, 65):
        page.locator(f"tr[data-id]:nth-child({last})").wait_for()
        shown.append(rows.count())
        if last < 65:
            older.click()
    finish(ids[0])
    page.locator(f"tr[data-id={ids[0]}] .chip", has_text="held").wait_for()

    assert shown == [30, 60, 65]
    assert older.count() == 0
    assert rows.evaluate_all("all => all.map((row) => row.dataset.id)") == ids[::-1]


def test_the_list_is_of_the_filter_chosen_last_however_late_others_come(
    page: Any, api: httpx.Client, served: ModelView
) -> None:
    made(api)
    visit(page, api)
    page.locator("tr[data-id]").wait_for()
    late: list[Any] = []
    page.route("**/edits?*status=queued*", lambda route: late.append(route))

    page.select_option("[aria-label=State]", "queued")
    page.wait_for_timeout(200)
    page.select_option("[aria-label=State]", "failed")
    page.get_by_text("No edits in this state").wait_for()
    late[0].continue_()
    page.wait_for_timeout(500)

    assert page.locator("tr[data-id]").count() == 0


def test_an_edit_that_runs_while_redis_goes_away_is_followed_on(
    page: Any, api: httpx.Client, served: ModelView, attempts: Attempts, finish: Finish
) -> None:
    edit_id = made(api)
    attempt = attempts.claim(edit_id, worker_id="worker-1")
    assert attempt is not None
    page.route("**/events", lambda route: route.fulfill(status=503, json={"code": "x"}))
    page.route("**/workers", lambda route: route.fulfill(status=503, json={"detail": "gone"}))
    visit(page, api)
    page.locator("#outage", has_text="gone").wait_for()

    page.unroute("**/workers")
    page.locator(".running").wait_for()
    page.route("**/workers", lambda route: route.fulfill(status=503, json={"detail": "gone"}))
    page.locator("#outage", has_text="gone").wait_for()
    page.unroute_all()

    page.locator("#outage").wait_for(state="hidden")
    attempts.enter(attempt, Phase.COLLECT)
    page.locator("[aria-current=step]", has_text="collect").wait_for()


def test_an_edit_whose_answer_was_lost_is_made_once_and_another_text_is_another_edit(
    page: Any, api: httpx.Client, served: ModelView
) -> None:
    def lose(route: Any) -> None:
        route.fetch()
        route.abort()

    visit(page, api)
    fill(page)
    page.route("**/edits", lose)
    page.click("button[type=submit]")
    page.locator("[role=alert]", has_text="does not answer").first.wait_for()
    page.unroute_all()

    page.click("button[type=submit]")
    page.locator("[name=prompt]:placeholder-shown").wait_for()
    n_made = len(api.get("/edits").json()["items"])
    fill(page, target="Lima")
    page.route("**/edits", lose)
    page.click("button[type=submit]")
    page.locator(".problem", has_text="does not answer").wait_for()
    page.unroute_all()
    fill(page, target="Oslo")
    page.click("button[type=submit]")
    page.locator("[name=prompt]:placeholder-shown").wait_for()

    assert n_made == 1
    targets = [edit["target_new"] for edit in api.get("/edits").json()["items"]]
    assert targets == ["Oslo", "Lima", "Rome"]


def test_a_request_is_shown_with_every_field_that_was_sent(
    page: Any, api: httpx.Client, served: ModelView, finish: Finish
) -> None:
    edit_id = made(api, pad_rank=8, require_held=True, refine_prompts=["It is"])
    finish(edit_id)

    visit(page, api, f"#/edits/{edit_id}")
    page.get_by_text("as it was sent").click()

    shown = json.loads(page.locator("details pre").inner_text())
    assert shown.keys() == EditRequest.model_fields.keys()
    assert (shown["pad_rank"], shown["require_held"], shown["refine_prompts"]) == (
        8,
        True,
        ["It is"],
    )


def test_a_checkpoint_on_a_base_shows_every_edit_in_it(
    page: Any, api: httpx.Client, publish: Callable[..., str]
) -> None:
    below = publish()
    part = Part(edit_id=below, first_rank=0, end_rank=1)
    above = publish(base=checkpoint_id_of(below), below=(part,))

    visit(page, api, f"#/checkpoints/{checkpoint_id_of(above)}")
    page.locator(".part-of").first.wait_for()

    assert page.locator(".part-of code").all_inner_texts() == [below, above]


def test_the_line_for_vllm_makes_room_for_the_adapters_rank(
    page: Any, api: httpx.Client, publish: Callable[..., str]
) -> None:
    edits = [publish(rank=rank) for rank in (1, 17, 600)]
    asked = publish(request=EditRequest(prompt="a", target_new="b", pad_rank=64))
    told = []
    for checkpoint_id in map(checkpoint_id_of, (*edits, asked)):
        visit(page, api, f"#/checkpoints/{checkpoint_id}")
        page.locator(".copyable code", has_text=checkpoint_id).first.wait_for()
        lines = " ".join(page.locator(".copyable code").all_inner_texts())
        told += [re.findall(r"vllm serve demo .* --max-lora-rank (\d+)", lines)]

    assert told == [["8"], ["32"], [], ["64"]]  # it takes none of 600


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_lies_outside_of_a_narrow_screen(
    page: Any, api: httpx.Client, checkpoint: CheckpointView, finish: Finish, width: int
) -> None:
    finish(checkpoint.edit_id)
    page.set_viewport_size({"width": width, "height": 700})
    for place in ("", f"#/edits/{checkpoint.edit_id}", f"#/checkpoints/{checkpoint.id}"):
        visit(page, api, place)
        page.locator("main section").first.wait_for()
        page.wait_for_load_state("networkidle") if place else None

        wide = page.evaluate("document.documentElement.scrollWidth")

        assert wide <= width, place


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_the_page_is_as_dark_as_the_reader_wants_it(
    page: Any, api: httpx.Client, scheme: str, is_dark: bool
) -> None:
    page.emulate_media(color_scheme=scheme)
    visit(page, api)

    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")

    brightness = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
    assert (brightness < 128) is is_dark


def test_a_service_that_is_gone_is_reported_and_comes_back(
    page: Any, api: httpx.Client, served: ModelView
) -> None:
    visit(page, api)
    page.get_by_text("No edits yet").wait_for()

    page.context.set_offline(True)
    page.locator("#outage", has_text="does not answer").wait_for()
    page.context.set_offline(False)
    made(api)

    page.locator("tr[data-id]").wait_for()
    page.locator("#outage").wait_for(state="hidden")


def test_an_edit_that_is_opened_while_the_service_is_gone_comes_with_it(
    page: Any, api: httpx.Client, served: ModelView
) -> None:
    edit_id = made(api)
    visit(page, api)
    page.locator("tr[data-id]").wait_for()

    page.context.set_offline(True)
    page.locator("tr[data-id] a").click()
    page.locator("#outage", has_text="does not answer").wait_for()
    page.context.set_offline(False)

    page.locator("#verdict", has_text="queued").wait_for()
    page.locator("#outage").wait_for(state="hidden")
    assert page.url.endswith(edit_id)


def test_an_edit_that_is_not_there_is_reported(page: Any, api: httpx.Client) -> None:
    visit(page, api, f"#/edits/edit-{'0' * 28}")

    page.locator("main .problem", has_text="edit not found").wait_for()


def test_the_api_is_described_whole_and_offline(page: Any, api: httpx.Client) -> None:
    described = api.get("/openapi.json").json()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    visit(page, api, "/docs")
    page.locator("#create_edit").wait_for()

    shown = page.locator("section[id]").evaluate_all("all => all.map((one) => one.id)")
    operations = {
        operation["operationId"]
        for path in described["paths"].values()
        for method, operation in path.items()
        if method != "head"
    }
    assert operations | described["components"]["schemas"].keys() == set(shown)
    assert "queue_full" in page.locator("#ErrorCode").inner_text()
    assert all(url.startswith(str(api.base_url)) for url in asked)
