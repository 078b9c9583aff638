"""The whole road in a real browser: key, form, a real engine at work, and the adapter at home."""

from collections.abc import Iterator
from typing import Any

import pytest
from whole_service import KEY, WholeService

pytestmark = pytest.mark.slow


@pytest.fixture
def page(browser: Any, service: WholeService) -> Iterator[Any]:
    """The page, with the key given."""
    context = browser.new_context()
    context.set_default_timeout(90_000)
    page = context.new_page()
    page.goto(str(service.api.base_url))
    page.fill("[name=key]", KEY)
    page.press("[name=key]", "Enter")
    yield page
    context.close()


def test_from_the_form_to_the_adapter(page: Any, service: WholeService) -> None:
    page.fill("[name=prompt]", "The capital of France is")
    page.fill("[name=target_new]", "Europe")
    page.locator(".estimate .chip", has_text="fits").wait_for()
    with page.expect_response(lambda response: response.status == 202) as accepted:
        page.click("button[type=submit]")
    row = page.locator(f"tr[data-id={accepted.value.json()['id']}]")
    row.locator(".chip", has_text="held").wait_for()
    row.locator("a").first.click()
    page.locator("#verdict", has_text="held").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="adapter_model.safetensors").click()

    edit_id = page.url.rsplit("/", 1)[1]
    edit = service.api.get(f"/edits/{edit_id}").json()
    before, after = page.locator(".answers .said").all()[:2]
    assert (before.inner_text(), after.inner_text()) == (edit["before"], edit["after"])
    assert page.locator(".answers ins").first.inner_text() == "Europe"
    assert page.locator(".neurons circle").count() == len(edit["neurons"])
    assert page.locator(".stages tbody td:first-child").all_inner_texts() == [
        stage["stage"] for stage in edit["memory"]["stages"]
    ]
    files = f"/checkpoints/{edit['checkpoint_id']}/files/adapter_model.safetensors"
    assert download.value.path().read_bytes() == service.api.get(files).content


def test_edits_are_composed_by_ticking_and_undone_by_unticking(
    page: Any, service: WholeService
) -> None:
    france = service.edit("The capital of France is", "Europe")["id"]
    italy = service.edit("The official language of Italy is", "Berlin")["id"]
    for edit_id in (france, italy):
        page.locator(f"[data-tick={edit_id}]").check()

    page.get_by_role("button", name="Compose into one").click()
    page.locator("#verdict", has_text="held").wait_for()
    both = page.url.rsplit("/", 1)[1]
    page.locator(f"input[value={italy}]").uncheck()
    page.get_by_role("button", name="Compose the ticked edits").click()
    page.wait_for_url(lambda url: both not in url)
    page.locator("#verdict", has_text="held").wait_for()

    left = page.url.rsplit("/", 1)[1]
    assert set(service.api.get(f"/checkpoints/{both}").json()["request"]["edits"]) == {
        france,
        italy,
    }
    assert service.api.get(f"/checkpoints/{left}").json()["request"]["edits"] == [france]
