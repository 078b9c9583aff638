"""The asynchronous client against a service in memory."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from contract.settings import Settings
from contract.wire.edits import EditRequest
from contract.wire.limits import Limits
from palimpsest import aio, client
from palimpsest.aio import AsyncClient
from palimpsest.errors import DownloadError, UnreachableError, WaitTimeoutError
from palimpsest.problems import QueueFullError
from palimpsest.transport.retries import Retries

REQUEST = EditRequest(prompt="The capital of France is", target_new="Rome")
T = TypeVar("T")


def run(service: Any, ask: Callable[[AsyncClient], Awaitable[T]]) -> T:
    """What comes of asking; between tries nobody sleeps."""

    async def asked() -> T:
        async def sleep(seconds: float) -> None:
            await asyncio.sleep(0)

        transport = httpx.MockTransport(service)
        retries = Retries(most=2)
        async with AsyncClient(
            "http://service", transport=transport, retries=retries, sleep=sleep
        ) as opened:
            return await ask(opened)

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("waiting", "awaited"),
    [
        (client.Client, aio.AsyncClient),
        (client.Edits, aio.AsyncEdits),
        (client.Checkpoints, aio.AsyncCheckpoints),
    ],
)
def test_whatever_can_be_asked_can_be_awaited(waiting: type, awaited: type) -> None:
    def told(of: type) -> dict[str, list[str]]:
        return {
            name.removeprefix("a") if name == "aclose" else name: list(
                inspect.signature(method).parameters
            )
            for name, method in vars(of).items()
            if inspect.isfunction(method) and not name.startswith("_")
        }

    assert told(waiting) == told(awaited)


def test_an_edit_is_made_and_awaited(service: Any) -> None:
    async def ask(opened: AsyncClient) -> str | None:
        made = await opened.edits.create(REQUEST)
        return (await opened.edits.wait(made.id)).after

    assert run(service, ask) == "Rome."


def test_many_edits_are_awaited_at_once(service: Any) -> None:
    async def ask(opened: AsyncClient) -> list[str]:
        made = await asyncio.gather(*(opened.edits.create(REQUEST) for _ in range(5)))
        ended = await asyncio.gather(*(opened.edits.wait(edit.id) for edit in made))
        return [edit.status.value for edit in ended]

    assert run(service, ask) == ["succeeded"] * 5


def test_following_ends_with_the_final_edit(service: Any) -> None:
    async def ask(opened: AsyncClient) -> list[bool]:
        made = await opened.edits.create(REQUEST)
        return [seen.status.is_final async for seen in opened.edits.follow(made.id)]

    assert run(service, ask) == [False, True]


def test_a_busy_service_is_asked_again_with_the_same_key(
    service: Any, a_problem: Callable[..., httpx.Response]
) -> None:
    service.hiccups += [a_problem(429, "queue_full"), httpx.ReadError("reset")]

    run(service, lambda opened: opened.edits.create(REQUEST))

    keys = {request.headers["Idempotency-Key"] for request in service.requests}
    assert (len(service.requests), len(keys)) == (3, 1)


def test_limits_are_read(service: Any) -> None:
    service.hiccups.append(httpx.Response(200, text=Limits.of(Settings()).model_dump_json()))

    assert run(service, lambda opened: opened.limits()) == Limits.of(Settings())


def test_what_stays_wrong_is_raised_as_its_class(
    service: Any, a_problem: Callable[..., httpx.Response]
) -> None:
    service.hiccups += [a_problem(429, "queue_full") for _ in range(3)]

    with pytest.raises(QueueFullError):
        run(service, lambda opened: opened.edits.create(REQUEST))


def test_a_service_that_is_not_there_is_unreachable(service: Any) -> None:
    service.hiccups += [httpx.ConnectError("refused") for _ in range(3)]

    with pytest.raises(UnreachableError, match="no answer from http://service: refused"):
        run(service, lambda opened: opened.models())


def test_waiting_has_an_end(service: Any) -> None:
    service.ended = lambda edit: edit

    async def ask(opened: AsyncClient) -> None:
        made = await opened.edits.create(REQUEST)
        await opened.edits.wait(made.id, timeout_s=0)

    with pytest.raises(WaitTimeoutError):
        run(service, ask)


def test_files_are_brought_home_whole(service: Any, tmp_path: Path) -> None:
    service.files = {"adapter.bin": b"weights"}

    run(service, lambda opened: opened.checkpoints.download("ckpt-1", tmp_path))

    assert (tmp_path / "adapter.bin").read_bytes() == b"weights"


def test_a_file_that_is_not_what_was_promised_is_left_out(service: Any, tmp_path: Path) -> None:
    service.files = {"adapter.bin": b"weights"}
    service.served_files = {"adapter.bin": b"weightz"}

    with pytest.raises(DownloadError, match="arrived with SHA-256"):
        run(service, lambda opened: opened.checkpoints.download("ckpt-1", tmp_path))

    assert list(tmp_path.iterdir()) == []
