"""Servers in processes of their own, and a client that only counts bytes."""

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 60.0
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Server:
    """A process that listens on a port of this machine."""

    pid: int
    port: int

    def fetch(self, path: str) -> tuple[int, float]:
        """The bytes of a file, and the seconds from the request to its last byte."""
        began_s = time.perf_counter()
        n_bytes = sum(map(len, self._body(path)))
        return n_bytes, time.perf_counter() - began_s

    def digest(self, path: str) -> str:
        """SHA-256 of a file's bytes."""
        digest = hashlib.sha256()
        for piece in self._body(path):
            digest.update(piece)
        return digest.hexdigest()

    def _body(self, path: str) -> Iterator[memoryview]:
        """A plain socket: a client library would take longer than the servers."""
        buffer = bytearray(BUFFER_BYTES)
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            asked = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            connection.sendall(asked.encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            status, _, rest = head.partition(b"\r\n")
            assert b" 200 " in status, status
            yield memoryview(rest.partition(b"\r\n\r\n")[2])
            while n := connection.recv_into(buffer):
                yield memoryview(buffer)[:n]

    def reset_peak(self) -> int:
        """Reset the peak; returns the bytes that are resident now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self._status("VmRSS")

    def peak_bytes(self) -> int:
        """The most bytes that were resident since `reset_peak`."""
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        found = next(line for line in lines if line.startswith(f"{name}:"))
        return int(found.split()[1]) * 1024


@contextmanager
def serving(
    module: str, *arguments: str, port: int, environ: Mapping[str, str]
) -> Iterator[Server]:
    """Run `python -m module` until the block is left."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, env={**os.environ, **environ})
    try:
        _wait_for(process, port)
        yield Server(process.pid, port)
    finally:
        process.terminate()
        process.wait()


def _wait_for(process: "subprocess.Popen[bytes]", port: int) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")
