"""Looking at this machine: packages, cards, memory, disk, Redis, a model's directory."""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from palimpsest.findings import Card, ModelFiles

DISTRIBUTION = "palimpsest-kn"
PARTS = ("api", "worker")
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)[^;>]*>=([0-9.]+)")
_MIB = 1024**2
TIMEOUT_S = 3.0


class RedisUnusableError(Exception):
    """Nothing usable answers at the URL."""


def wanted_versions() -> dict[str, str]:
    """The least version of each package that the API or the worker needs."""
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from its sources
        return {}
    of_parts = [r for r in requirements if any(f'extra == "{part}"' in r for part in PARTS)]
    found = (_REQUIREMENT.match(requirement) for requirement in of_parts)
    return {match[1]: match[2] for match in found if match}


def found_versions(names: list[str]) -> dict[str, str]:
    """The versions of those that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def cards() -> list[Card]:
    """The GPUs that the NVIDIA driver tells of."""
    query = ("nvidia-smi", "--query-gpu=name,memory.total,memory.free")
    try:
        told = subprocess.run(
            (*query, "--format=csv,noheader,nounits"),
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [line.rsplit(", ", 2) for line in told.splitlines() if line.count(", ") >= 2]
    return [Card(name, int(total) * _MIB, int(free) * _MIB) for name, total, free in rows]


def memory_bytes() -> int:
    """This machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def model_files(directory: Path) -> ModelFiles:
    """What lies there."""
    config = directory / "config.json"
    try:
        told = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        told = None
    return ModelFiles(
        has_config=isinstance(told, dict),
        has_tokenizer=(directory / "tokenizer.json").is_file(),
        weights_bytes=sum(file.stat().st_size for file in directory.glob("*.safetensors")),
        is_quantized=isinstance(told, dict) and "quantization_config" in told,
    )


def disk(directory: Path) -> tuple[int, bool]:
    """Bytes that are free where the directory lies or would lie, and whether it can be written."""
    there = next(place for place in (directory, *directory.parents) if place.exists())
    return shutil.disk_usage(there).free, os.access(there, os.W_OK)


def redis_info(url: str) -> dict[str, str]:
    """What Redis tells of itself; raises `RedisUnusableError`."""
    parts = urlsplit(url)
    try:
        with _connected(parts.scheme, parts.hostname, parts.port, unquote(parts.path)) as redis:
            if parts.password:
                user = unquote(parts.username or "default")
                _ask(redis, f"AUTH {user} {unquote(parts.password)}")
            lines = _ask(redis, "INFO").splitlines()
    except (OSError, ValueError) as error:
        raise RedisUnusableError(str(error) or type(error).__name__) from error
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name: value.strip() for name, _, value in pairs}


@contextmanager
def _connected(
    scheme: str, host: str | None, port: int | None, path: str
) -> Iterator[socket.socket]:
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as local:
            local.settimeout(TIMEOUT_S)
            local.connect(path)
            yield local
    elif scheme == "redis":
        with socket.create_connection((host or "127.0.0.1", port or 6379), TIMEOUT_S) as remote:
            yield remote
    else:
        raise ValueError(f"{scheme}:// is not looked at from here")


def _ask(redis: socket.socket, command: str) -> str:
    """The answer to a command, in Redis' protocol: a line, or `$` with a length and a body."""
    words = command.split()
    sent = f"*{len(words)}\r\n" + "".join(f"${len(w.encode())}\r\n{w}\r\n" for w in words)
    redis.sendall(sent.encode())
    with redis.makefile("rb") as answer:
        head = answer.readline().decode().rstrip()
        if head.startswith("-"):
            raise ValueError(head[1:])
        return answer.read(int(head[1:]) + 2).decode() if head.startswith("$") else head
