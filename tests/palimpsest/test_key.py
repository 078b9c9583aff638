"""`palimpsest key`, and keys in the client."""

from io import StringIO
from pathlib import Path

import httpx
import pytest

from contract.keys import Keys
from palimpsest.__main__ import run
from palimpsest.client import Client
from palimpsest.errors import UnauthorizedError


def run_key(*argv: str) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    status = run(["key", *argv], environ={}, out=out, err=err)
    return status, out.getvalue().strip(), err.getvalue()


def test_a_key_is_printed_and_its_line_told() -> None:
    status, key, told = run_key("search")

    assert status == 0
    assert key not in told
    assert Keys.parse(told.rsplit(" ", 1)[1].strip(), source="x").owner_of(key) == "search"


def test_keys_are_appended_to_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.touch(mode=0o600)
    file.write_text("# teams")

    (_, first, _), (_, second, _) = (
        run_key("a", "--file", str(file)),
        run_key("b", "--file", str(file)),
    )

    keys = Keys.parse(file.read_text(), source="x")
    assert (keys.owner_of(first), keys.owner_of(second)) == ("a", "b")
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("argv", [["two words"], ["a", "--file", "/nowhere/keys"]])
def test_what_cannot_be_kept_is_refused(argv: list[str]) -> None:
    status, key, told = run_key(*argv)

    assert (status, key) == (2, "")
    assert told.startswith("palimpsest: ")


@pytest.mark.parametrize("content", [b"A file of another kind.\n", b"\xff\xfe"])
def test_a_file_that_is_no_list_of_keys_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes"
    file.write_bytes(content)

    status, key, _ = run_key("a", "--file", str(file))

    assert (status, key) == (2, "")
    assert file.read_bytes() == content


def test_the_client_sends_its_key_and_tells_when_it_is_not_known() -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["Authorization"])
        return httpx.Response(401, json={"code": "unauthorized", "detail": "send a key"})

    client = Client("http://api", api_key="pal_x", transport=httpx.MockTransport(answer))
    with client, pytest.raises(UnauthorizedError, match="send a key"):
        client.models()

    assert sent == ["Bearer pal_x"]


def test_the_command_line_takes_its_key_from_the_environment() -> None:
    sent: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("Authorization"))
        return httpx.Response(200, json={"items": [], "next_cursor": None})

    environ = {"PALIMPSEST_API_KEY": "pal_x"}
    transport = httpx.MockTransport(answer)
    run(["list"], environ=environ, out=StringIO(), err=StringIO(), transport=transport)

    assert set(sent) == {"Bearer pal_x"}
