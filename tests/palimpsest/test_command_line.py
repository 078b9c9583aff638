"""The commands, from arguments to output and exit code."""

import json
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from contract.wire.lifecycle import EditStatus
from palimpsest.__main__ import CLIENTS, SERVERS, run

ProblemMaker = Callable[..., httpx.Response]


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Cli = Callable[..., Ran]


@pytest.fixture
def cli(service: Any) -> Cli:
    """Runs a command against the service in memory."""

    def call(*argv: str, environ: dict[str, str] | None = None) -> Ran:
        out, err = StringIO(), StringIO()
        transport = httpx.MockTransport(service)
        code = run(argv, environ=environ or {}, out=out, err=err, transport=transport)
        return Ran(code, out.getvalue(), err.getvalue())

    return call


@pytest.fixture
def one_fact() -> tuple[str, ...]:
    return ("submit", "--prompt", "The capital of France is", "--target-new", "Rome")


def test_a_fact_from_flags_is_edited(cli: Cli, one_fact: tuple[str, ...]) -> None:
    ran = cli(*one_fact)

    assert ran == Ran(
        0,
        "held      “The capital of France is” · Paris. → Rome. · 2 neurons in layers 1, 3"
        " · ckpt-1\n"
        "\n"
        "1 edit: 1 held\n"
        "\n"
        "SCORE        TEACHER FORCED  FREE GENERATION  EDITS\n"
        "reliability  1.000           –                1\n"
        "locality     0.500           –                1\n",
        "",
    )


def test_every_flag_reaches_the_request(cli: Cli, service: Any, one_fact: tuple[str, ...]) -> None:
    flags = "--subject France --ground-truth Paris --method paper --model demo --require-held"
    flags += f" --base ckpt-{1:028x} --pad-rank 16"
    lists = "--rephrase r1 --rephrase r2 --refine f --protect p --locality q a"

    cli(*one_fact, *flags.split(), *lists.split(), "--hparams", "steps=5,p=0.25,refine=false")

    posted = [request for request in service.requests if request.method == "POST"]
    assert json.loads(posted[0].content) == {
        "prompt": "The capital of France is",
        "target_new": "Rome",
        "subject": "France",
        "ground_truth": "Paris",
        "method": "paper",
        "model": "demo",
        "require_held": True,
        "base": f"ckpt-{1:028x}",
        "pad_rank": 16,
        "rephrase_prompts": ["r1", "r2"],
        "refine_prompts": ["f"],
        "protect_prompts": ["p"],
        "locality": [{"prompt": "q", "ground_truth": "a"}],
        "hparams": {"steps": 5, "p": 0.25, "refine": False},
    }


def test_a_failed_edit_is_exit_code_1(
    cli: Cli, service: Any, one_fact: tuple[str, ...], failed_edit: Callable[..., Any]
) -> None:
    service.ended = lambda edit: failed_edit(id=edit.id)

    ran = cli(*one_fact)

    assert ran.code == 1
    assert "no_neurons: none was found" in ran.out


def test_a_refused_request_is_exit_code_1(
    cli: Cli, service: Any, one_fact: tuple[str, ...], a_problem: ProblemMaker
) -> None:
    service.hiccups.append(a_problem(422, "model_unknown", detail="no model is called x"))

    ran = cli(*one_fact)

    assert ran.code == 1
    assert ran.out == (
        "refused   model_unknown: no model is called x\n\n"
        "no edits\nrefused by the service: 1 model_unknown\n"
    )


def test_edits_that_were_accepted_are_told_of_when_the_service_goes_away(
    cli: Cli, service: Any, one_fact: tuple[str, ...], a_problem: ProblemMaker
) -> None:
    def ends(edit: Any) -> Any:
        service.hiccups.append(httpx.Response(502, html="<h1>Bad gateway</h1>"))
        return edit

    service.ended = ends

    ran = cli(*one_fact)

    assert ran.code == 3
    assert ran.err.startswith(
        "1 accepted, not finished when watching stopped: see `palimpsest list`\n"
    )


def test_a_file_of_facts_is_delivered_and_what_is_unusable_named(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    records = [
        {"prompt": "a", "target_new": "b", "case_id": 1},
        {"prompt": "c", "target_new": ""},
        {"prompt": "d", "target_new": "e"},
    ]
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(records, indent=1).replace("\n", "\r\n").encode())

    ran = cli("submit", str(file))

    assert ran.code == 1
    assert ran.err.splitlines() == [
        "record 1 is left out: target_new: is empty",
        "not fields of a request, kept as metadata: case_id",
    ]
    assert [line[:12] for line in ran.out.splitlines()[:2]] == ["#0 held     ", "#2 held     "]
    assert "left out: 1 record that cannot be requests" in ran.out


def test_of_records_left_out_for_the_same_reason_five_are_named(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    odd = [{"question": "a", "old": "b", "new": "c"}] * 7
    file.write_text(json.dumps([*odd, {"prompt": "c", "target_new": ""}]))

    ran = cli("submit", str(file))

    told = "it has question, old, new; a record needs `prompt` and `target_new`"
    assert ran.err.splitlines() == [
        *(f"record {n} is left out: {told}" for n in range(5)),
        "record 7 is left out: target_new: is empty",
        f"and 2 more: {told}",
    ]
    assert f"  7 × {told}" in ran.out.splitlines()


def test_json_is_a_line_for_each_edit_and_one_for_the_summary(
    cli: Cli, one_fact: tuple[str, ...]
) -> None:
    ran = cli(*one_fact, "--json")

    edit, summary = [json.loads(line) for line in ran.out.splitlines()]
    assert (edit["index"], edit["edit"]["outcome"]) == (0, "held")
    assert summary["ended"] == {"held": 1}


def test_without_waiting_the_accepted_edit_is_reported(cli: Cli, one_fact: tuple[str, ...]) -> None:
    ran = cli(*one_fact, "--no-wait")

    assert ran.code == 0
    assert ran.out.splitlines()[0] == "queued    “The capital of France is” · edit-1"


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["submit"], "give a FILE, or --prompt and --target-new"),
        (["submit", "--prompt", "a"], "give a FILE, or --prompt and --target-new"),
        (["submit", "x.json", "--prompt", "a"], "not both"),
        (["submit", "/nowhere/x.json"], "cannot read /nowhere/x.json: No such file or directory"),
        (["submit", "--prompt", " ", "--target-new", "b"], "prompt: is blank"),
        (
            ["submit", "--prompt", "{} is", "--target-new", "b"],
            "prompt: contains {}, but the record",
        ),
        (["submit", "--hparams", "steps=0"], "--hparams: steps: Input should be greater than"),
        (
            ["submit", "--hparams", "batch_size=16"],
            "palimpsest: --hparams: no such hyperparameter: batch_size; known: steps, quadrature, "
            "adaptive_threshold, adaptive_threshold_max, p, refine, max_neurons\n",
        ),
        (
            ["submit", "--prompt", "a", "--target-new", "b", "--base", "edit-1"],
            "base: String should match pattern",
        ),
        (["get", "edit-1", "--url", "http://[::1"], "is not a URL"),
        (["up"], "--model has to name the directory of the model to serve"),
        (["up", "--model", "/nowhere"], "/nowhere is not a model directory: it has no config.json"),
        (["up", "--model", "/nowhere", "--port", "70000"], "PALIMPSEST_PORT: "),
    ],
)
def test_what_cannot_be_done_as_asked_is_exit_code_2(
    argv: list[str], reason: str, cli: Cli
) -> None:
    ran = cli(*argv)

    assert ran.code == 2
    assert reason in ran.err


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_client_alone_tells_what_a_service_needs(
    command: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "fastapi", None)

    ran = cli(command, "--data-dir", str(tmp_path / "data"))

    assert ran == Ran(
        2,
        "",
        "palimpsest: this is the client alone, without fastapi, torch; in the checkout run "
        "`pip install '.[api,worker,local]'` or `make install`\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_the_demo_tells_that_it_needs_peft(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)

    ran = cli("demo", "--data-dir", str(tmp_path / "data"))

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "palimpsest: the demo loads the adapter with peft: run `pip install peft`\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["invent"],
        ["submit", "--pad-rank", "3"],
        ["list", "--limit", "0"],
    ],
)
def test_arguments_that_do_not_parse_are_exit_code_2(
    argv: list[str], cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(*argv).code == 2
    assert "error:" in capsys.readouterr().err


def test_a_service_that_is_not_there_is_exit_code_3() -> None:
    err = StringIO()

    code = run(["list", "--url", "http://127.0.0.1:9"], environ={}, out=StringIO(), err=err)

    assert code == 3
    assert err.getvalue().startswith("palimpsest: no answer from http://127.0.0.1:9")


def test_another_program_at_the_url_is_exit_code_3() -> None:
    err = StringIO()
    other = httpx.MockTransport(lambda _: httpx.Response(404, html="<h1>It works!</h1>"))

    code = run(["list"], environ={}, out=StringIO(), err=err, transport=other)

    assert code == 3
    assert "does not answer as a Palimpsest service" in err.getvalue()


def test_the_url_comes_from_the_environment_unless_it_is_given(cli: Cli, service: Any) -> None:
    environ = {"PALIMPSEST_URL": "http://there"}

    cli("list", environ=environ)
    cli("list", "--url", "http://here", environ=environ)

    asked = [str(request.url.host) for request in service.requests if request.url.path == "/livez"]
    assert asked == ["there", "here"]


def test_an_unknown_edit_is_exit_code_1(cli: Cli) -> None:
    ran = cli("get", "edit-9")

    assert ran == Ran(1, "", "palimpsest: not_found: there is no /edits/edit-9\n")


def test_get_shows_an_edit(cli: Cli, one_fact: tuple[str, ...]) -> None:
    cli(*one_fact)

    assert cli("get", "edit-1").out.splitlines()[0] == "edit-1  held"
    assert json.loads(cli("get", "edit-1", "--json").out)["status"] == "succeeded"


def test_list_shows_edits_and_says_when_there_are_none(cli: Cli, one_fact: tuple[str, ...]) -> None:
    assert cli("list") == Ran(0, "", "no edits\n")

    cli(*one_fact)

    assert cli("list").out.splitlines()[1].startswith("edit-1  2026-01-02 12:00  held")


def test_watch_shows_each_event_once_and_the_result(
    cli: Cli, service: Any, one_fact: tuple[str, ...]
) -> None:
    cli(*one_fact, "--no-wait")

    ran = cli("watch", "edit-1")

    assert ran.code == 0
    assert ran.out.splitlines()[:3] == ["12:00:00  queued", "", "edit-1  held"]


def test_watch_of_a_running_edit_listens_to_the_feed(
    cli: Cli, service: Any, edit: Callable[..., Any], an_event: Callable[..., dict[str, Any]]
) -> None:
    service.edits["edit-1"] = edit(status=EditStatus.RUNNING)
    service.feed = (an_event("2-0", "phase", phase="write"), an_event("3-0", "succeeded"))

    ran = cli("watch", "edit-1")

    assert ran.out.splitlines()[:5] == [
        "12:00:00  queued",
        "12:00:00  phase      phase=write",
        "12:00:00  succeeded",
        "",
        "edit-1  held",
    ]
    assert [r.headers.get("Last-Event-ID") for r in service.requests].count("1-0") == 1


def test_watch_looks_again_where_no_feed_gets_through(
    cli: Cli, service: Any, edit: Callable[..., Any]
) -> None:
    service.edits["edit-1"] = edit(status=EditStatus.RUNNING)

    ran = cli("watch", "edit-1")

    assert ran.code == 0
    assert ran.out.splitlines()[:3] == ["12:00:00  queued", "", "edit-1  held"]


def test_watch_of_a_failure_is_exit_code_1(
    cli: Cli, service: Any, one_fact: tuple[str, ...], failed_edit: Callable[..., Any]
) -> None:
    service.ended = lambda edit: failed_edit(id=edit.id)
    cli(*one_fact, "--no-wait")

    assert cli("watch", "edit-1").code == 1


def test_download_takes_the_edit_for_its_checkpoint(cli: Cli, service: Any, tmp_path: Path) -> None:
    service.files = {"a.txt": b"hello"}

    ran = cli("download", "edit-1", str(tmp_path / "new"))

    assert ran.code == 0
    assert (tmp_path / "new/a.txt").read_bytes() == b"hello"
    assert ran.out == f"2cf24dba5fb0  {tmp_path}/new/a.txt\n"


def test_the_hyperparameters_are_named_in_the_help(cli: Cli) -> None:
    told = " ".join(cli("submit", "--help").out.split())

    assert "known: steps, quadrature, adaptive_threshold, adaptive_threshold_max, p, refine" in told


@pytest.mark.parametrize("name", sorted(SERVERS | CLIENTS))
def test_every_command_can_answer_in_json(cli: Cli, name: str) -> None:
    ran = cli(name, "--help")

    assert "--json" in ran.out or name == "demo"  # whose last line is JSON


def test_the_doctor_tells_what_is_wrong_and_what_to_do(cli: Cli, tmp_path: Path) -> None:
    ran = cli("doctor", "--model", str(tmp_path), "--data-dir", str(tmp_path))

    assert ran.code == 1
    assert "WRONG    model" in ran.out
    assert "→ name a directory as Hugging Face keeps it" in ran.out
    assert "WRONG    worker" in ran.out


def test_the_doctor_tells_machines_the_same(cli: Cli, tmp_path: Path) -> None:
    ran = cli("doctor", "--data-dir", str(tmp_path), "--json")

    told = json.loads(ran.out)
    assert told["ok"] is False
    assert {
        "name": "service",
        "verdict": "ok",
        "detail": "http://127.0.0.1:8000",
        "advice": "",
    } in (told["findings"])


def test_without_a_service_the_doctor_looks_at_the_rest(
    tmp_path: Path,
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    out = StringIO()
    argv = ("doctor", "--data-dir", str(tmp_path))
    code = run(argv, environ={}, out=out, err=out, transport=httpx.MockTransport(refuse))

    assert code == 0
    assert "WARNING  service" in out.getvalue()


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (
            401,
            "unauthorized",
            "put a key of the service into PALIMPSEST_API_KEY: `palimpsest key NAME --file FILE` "
            "makes one, on the service's machine",
        ),
        (500, "internal", "start it: "),
    ],
)
def test_a_service_that_was_named_and_does_not_serve_us_is_wrong(
    tmp_path: Path, status: int, code: str, advice: str
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json={"code": code, "detail": "no"})

    out = StringIO()
    argv = ("doctor", "--data-dir", str(tmp_path), "--url", "http://there:1")
    code_of_exit = run(argv, environ={}, out=out, err=out, transport=httpx.MockTransport(refuse))

    assert code_of_exit == 1
    assert "WRONG    service" in out.getvalue()
    assert f"→ {advice}" in out.getvalue()


def test_a_composition_is_watched_by_its_checkpoints_id(
    cli: Cli, service: Any, an_event: Callable[..., dict[str, Any]]
) -> None:
    service.composing = True
    service.feed = (an_event("2-0", "phase", phase="evaluate"), an_event("3-0", "failed"))

    ran = cli("watch", "ckpt-2")

    assert ran.code == 1
    assert ran.out.splitlines() == [
        "12:00:00  queued",
        "12:00:00  phase      phase=evaluate",
        "12:00:00  failed",
        "",
        "ckpt-2  failed: not_held: one does not hold",
        f"  edit-{1:028x}",
        f"  edit-{2:028x}",
    ]


def test_a_checkpoint_is_shown_by_its_id(cli: Cli, service: Any) -> None:
    service.files = {"a.txt": b"hello"}

    shown = cli("get", "ckpt-1")

    assert shown.out.splitlines()[0] == "ckpt-1  held"
    assert shown.out.splitlines()[-1] == "  file     a.txt  5 B"
    assert json.loads(cli("get", "ckpt-1", "--json").out)["id"] == "ckpt-1"


@pytest.mark.parametrize("url", ["there", "ftp://there", ""])
def test_what_is_no_url_of_a_service_is_wrong_usage(cli: Cli, url: str) -> None:
    ran = cli("list", "--url", url)

    assert ran.code == 2
    assert ran.err.startswith(f"palimpsest: {url!r} is not a URL of a service")


def test_who_waits_for_a_service_that_cannot_answer_is_reported(
    service: Any, a_problem: Callable[..., httpx.Response]
) -> None:
    service.hiccups = [a_problem(503, "ledger_unavailable")]
    err = StringIO()
    err.isatty = lambda: True  # type: ignore[method-assign]

    code = run(
        ["list"], environ={}, out=StringIO(), err=err, transport=httpx.MockTransport(service)
    )

    assert code == 0
    assert "the service cannot answer now: asked again in " in err.getvalue()


def test_an_offset_that_leaves_no_record_is_wrong_usage(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    file.write_text('[{"prompt": "a", "target_new": "b"}]')

    ran = cli("submit", str(file), "--offset", "1")

    assert ran == Ran(2, "", f"palimpsest: {file} has 1 records: --offset leaves none\n")


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        (["edit-9"], "'edit-9' is not an edit id (edit- followed by 28 hex digits)"),
        (
            ["ckpt-1", f"edit-{1:028x}", f"edit-{1:028X}"[:-1] + "F"],
            f"'ckpt-1', 'edit-{15:028X}' are not edit ids ",
        ),
        ([f"edit-{1:028x}"] * 2, "edits: lists an edit twice"),
    ],
)
def test_what_cannot_be_composed_is_wrong_usage(cli: Cli, edits: list[str], told: str) -> None:
    ran = cli("compose", *edits)

    assert ran.code == 2
    assert ran.err.startswith(f"palimpsest: {told}")


def test_a_download_to_where_a_file_is_is_wrong_usage(
    cli: Cli, service: Any, tmp_path: Path
) -> None:
    service.files = {"a.txt": b"hello"}
    (tmp_path / "taken").touch()

    ran = cli("download", "ckpt-1", str(tmp_path / "taken"))

    assert ran.code == 2
    assert ran.err == f"palimpsest: cannot write to {tmp_path}/taken: File exists\n"


def test_where_a_key_is_wanted_one_is_reported_where_to_put_it(
    cli: Cli, service: Any, a_problem: Callable[..., httpx.Response]
) -> None:
    service.hiccups = [a_problem(401, "unauthorized", detail="send a key")]

    ran = cli("list")

    assert ran.code == 1
    assert ran.err.startswith("palimpsest: unauthorized: send a key; set it in PALIMPSEST_API_KEY")


def test_the_version_is_reported(cli: Cli) -> None:
    ran = cli("--version")

    assert ran.code == 0
    assert ran.out.startswith("palimpsest ")


def test_edits_are_composed_and_how_it_failed_is_reported(cli: Cli) -> None:
    ran = cli("compose", *(f"edit-{n:028x}" for n in (1, 2)))

    assert ran.code == 1
    assert ran.out == "ckpt-2  failed: not_held: one does not hold\n"


def test_checkpoints_are_listed_and_taken_away(cli: Cli) -> None:
    listed = cli("checkpoints")
    gone = cli("delete", "ckpt-1", "--json")

    assert listed.out.splitlines()[1].startswith("ckpt-1      2026-01-02 12:00  demo   held")
    assert gone.out == '{"deleted": "ckpt-1"}\n'
