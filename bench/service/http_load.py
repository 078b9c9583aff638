"""Many clients that post one body over and over, each on a connection of its own.

Bare sockets, since a client library would take more of the machine than the service does.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it."""

    statuses: dict[int, int]
    seconds: float
    latencies_s: Sequence[float]
    """Rising."""

    @property
    def per_s(self) -> float:
        return len(self.latencies_s) / self.seconds

    def percentile_s(self, share: float) -> float:
        return self.latencies_s[min(int(share * len(self.latencies_s)), len(self.latencies_s) - 1)]


def post(url: str, body: bytes, *, clients: int, for_s: float) -> Load:
    """Post for so long; a connection that breaks counts as status 0."""
    return asyncio.run(_post(url, body, clients=clients, for_s=for_s))


async def _post(url: str, body: bytes, *, clients: int, for_s: float) -> Load:
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    statuses: Counter[int] = Counter()
    latencies_s: list[float] = []
    began_s = time.perf_counter()

    async def client() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while (asked_s := time.perf_counter()) - began_s < for_s:
            writer.write(head.encode() + body)
            try:
                statuses[await _status(reader)] += 1
            except (OSError, asyncio.IncompleteReadError):
                statuses[0] += 1
                return
            latencies_s.append(time.perf_counter() - asked_s)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return Load(dict(statuses), time.perf_counter() - began_s, sorted(latencies_s))


async def _status(reader: asyncio.StreamReader) -> int:
    """The status of the next response, its body read."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    length = next(line.split(":")[1] for line in lines if line.startswith("content-length:"))
    await reader.readexactly(int(length))
    return int(lines[0].split()[1])
