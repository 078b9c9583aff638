"""Bringing the files of a checkpoint home, awaited."""

from pathlib import Path

import httpx

from contract.wire.checkpoints import CheckpointView
from palimpsest.transport.async_calls import AsyncCaller
from palimpsest.transport.download import Arrival, arriving, file_call


async def download(caller: AsyncCaller, checkpoint: CheckpointView, directory: Path) -> None:
    """Write every file of the manifest under `directory`; a wrong one is left out and raised."""
    for file in checkpoint.files:
        with arriving(file, directory) as arrival:

            async def write(response: httpx.Response, arrival: Arrival = arrival) -> None:
                with arrival.opened() as out:
                    async for chunk in response.aiter_bytes():
                        arrival.take(out, chunk)

            await caller.answer(file_call(checkpoint.id, file), receive=write)
