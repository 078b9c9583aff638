"""What a look at an installation found, and what to do about it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from contract.sizes import size
from contract.wire.serving import WorkerView
from palimpsest.local.parts import HOW_TO_INSTALL
from palimpsest.models.files import ModelFiles
from palimpsest.transport.endpoints import Check

LEAST_DISK_BYTES = 1_000_000_000
"""Below, one is warned."""
LEAST_REDIS = "6.2"
"""The oldest that this was tried with."""
REMEDIES = {
    "redis": "start Redis, or find out why it refuses writes: the API's REDIS_URL names it",
    "schema": "run the same version everywhere, on Redis data of that version",
    "store": "mount its volume, free space, or let the API's user write: PALIMPSEST_DATA_DIR",
    "keys": "fix the file that PALIMPSEST_API_KEYS_FILE names: one name:sha256 a line",
    "workers": "start one: palimpsest up, or python -m worker; its log tells why it ends",
    "weights": "restart that worker, if nothing does so by itself",
}
IN_REDIS = ("schema", "workers")
"""What is not known where Redis does not answer."""


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `advice` where there is something to do."""

    name: str
    verdict: Verdict
    detail: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU as its driver tells of it."""

    name: str
    total_bytes: int
    free_bytes: int


class Room(NamedTuple):
    """Memory that a model may be loaded into; `free_bytes` is None where nobody says."""

    where: str
    total_bytes: int
    free_bytes: int | None


class Disk(NamedTuple):
    """A place to write to: what is free, and why nothing can be written."""

    free_bytes: int
    refusal: str | None = None


class Wanted(NamedTuple):
    """A package's versions from `least` on, and `below` another."""

    least: str
    below: str | None = None

    def __str__(self) -> str:
        return f">={self.least}" + (f",<{self.below}" if self.below else "")


def of_versions(found: Mapping[str, str], wanted: Mapping[str, Wanted]) -> list[Finding]:
    """Each package that a part of the service needs; those that are missing in one finding."""
    missing = sorted(wanted.keys() - found.keys())
    there = sorted(wanted.keys() & found.keys())
    findings = [_of_version(name, found[name], wanted[name]) for name in there]
    if missing:
        told, advice = f"not installed: {', '.join(missing)}", f"to serve, {HOW_TO_INSTALL}"
        findings.append(Finding("packages", Verdict.WARNING, told, advice))
    return findings


def _of_version(name: str, found: str, wanted: Wanted) -> Finding:
    advice = f"pip install '{name}{wanted}'"
    if _release(found) < _release(wanted.least):
        return Finding(name, Verdict.WRONG, f"{found} is too old", advice)
    if wanted.below and _release(found) >= _release(wanted.below):
        return Finding(name, Verdict.WRONG, f"{found} is too new", advice)
    return Finding(name, Verdict.OK, found)


def _release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: `2.11.0+cpu` is (2, 11, 0)."""
    numbers: list[int] = []
    for part in version.split("+")[0].split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)


def of_cards(cards: Sequence[Card], *, torch: str | None) -> list[Finding]:
    """The GPUs, and whether torch can use them."""
    if not cards:
        detail = "no NVIDIA driver was found: a worker here computes on the CPU"
        return [Finding("gpu", Verdict.WARNING, detail, "a 7B model needs a card of 24 GB")]
    findings = [
        Finding("gpu", Verdict.OK, f"{c.name}, {size(c.free_bytes)} of {size(c.total_bytes)} free")
        for c in cards
    ]
    if torch is not None and torch.endswith("+cpu"):
        advice = "install torch from the index of your CUDA version"
        findings.append(Finding("gpu", Verdict.WRONG, f"torch {torch} has no GPU support", advice))
    return findings


def of_model(files: ModelFiles, room: Room) -> list[Finding]:
    """Whether a model can be loaded."""
    if files.flaws:
        return [Finding("model", Verdict.WRONG, *flaw) for flaw in files.flaws]
    weights = f"{size(files.weights_bytes)} of weights"
    if files.weights_bytes > room.total_bytes:
        detail = f"{weights}, {size(room.total_bytes)} on {room.where}"
        advice = "use a smaller model, or several cards with --device auto"
        return [Finding("model", Verdict.WRONG, detail, advice)]
    if room.free_bytes is not None and files.weights_bytes > room.free_bytes:
        detail = f"{weights}, {size(room.free_bytes)} free on {room.where}"
        advice = "end what else is there, unless that is this model's own worker"
        return [Finding("model", Verdict.WARNING, detail, advice)]
    return [Finding("model", Verdict.OK, weights)]


def of_disk(directory: str, disk: Disk) -> Finding:
    """Whether checkpoints can be kept."""
    if disk.refusal:
        advice = "free space, change its owner, or choose another directory with --data-dir"
        detail = f"{directory} cannot be written: {disk.refusal}"
        return Finding("store", Verdict.WRONG, detail, advice)
    detail = f"{directory}, {size(disk.free_bytes)} free"
    if disk.free_bytes < LEAST_DISK_BYTES:
        return Finding("store", Verdict.WARNING, detail, "free space: each edit stores its adapter")
    return Finding("store", Verdict.OK, detail)


def of_store_url(url: str, refusal: str | None) -> Finding:
    """Whether checkpoints can be kept at a URL."""
    shown = _without_secrets(url)
    if refusal is None:
        return Finding("store", Verdict.OK, f"{shown} (the service itself tests it)")
    advice = "install what fsspec needs for it, or correct PALIMPSEST_STORE_URL"
    return Finding("store", Verdict.WRONG, f"{shown}: {refusal}", advice)


def _without_secrets(url: str) -> str:
    """Scheme, host and path: a user, a password or a query may hold what nobody should read."""
    scheme, mark, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}{mark}{place.rpartition('@')[2]}{slash}{path.partition('?')[0]}"


def of_redis(info: Mapping[str, str], *, where: str) -> list[Finding]:
    """A Redis by its own INFO."""
    version = info.get("redis_version", "?")
    is_old = _release(version) < _release(LEAST_REDIS)
    advice = f"use Redis {LEAST_REDIS} or newer" if is_old else ""
    verdict = Verdict.WARNING if is_old else Verdict.OK
    return [
        Finding("redis", verdict, f"{where} runs {version}", advice),
        *(Finding("redis", *each) for each in _of_writes(info)),
        *(Finding("redis", *each) for each in _of_keeping(info)),
    ]


def _of_writes(info: Mapping[str, str]) -> Iterator[tuple[Verdict, str, str]]:
    """What keeps it from taking an edit."""
    if info.get("role") == "slave":
        master = f"{info.get('master_host', '?')}:{info.get('master_port', '?')}"
        yield Verdict.WRONG, "it is a replica, which is read-only", f"name its master, {master}"
    if info.get("loading") == "1":
        yield Verdict.WARNING, "it still loads its data", "wait"
    most, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    if most and used > 0.9 * most:
        verdict = Verdict.WRONG if used > 0.99 * most else Verdict.WARNING
        advice = "raise its maxmemory, or lower PALIMPSEST_RETENTION_S"
        yield verdict, f"{size(used)} of its maxmemory of {size(most)} is used", advice
    if "err" in (info.get("aof_last_write_status"), info.get("aof_last_bgrewrite_status")):
        yield Verdict.WRONG, "its last write to the disk failed", "free space on its disk"


def _of_keeping(info: Mapping[str, str]) -> Iterator[tuple[Verdict, str, str]]:
    """What lets it lose an edit that it took."""
    if info.get("aof_enabled") != "1":
        advice = "start it with --appendonly yes --appendfsync always"
        yield Verdict.WRONG, "a crash would lose edits", advice
    elif info.get("appendfsync", "always") != "always":
        advice = "start it with --appendfsync always"
        yield Verdict.WARNING, "a crash may lose the edits of its last second", advice
    if info.get("maxmemory_policy", "noeviction") != "noeviction":
        advice = "start it with --maxmemory-policy noeviction"
        yield Verdict.WRONG, "it may evict edits", advice


def of_service(checks: Sequence[Check], workers: Sequence[WorkerView] | None) -> list[Finding]:
    """A running service by what it tried, and each worker's memory; None where it could not tell
    of workers."""
    silent = any(check.name == "redis" and not check.ok for check in checks)
    if workers is None:
        return [_of_check(check, silent=silent) for check in checks]
    findings = [_of_check(check, silent=silent) for check in checks if check.name != "workers"]
    if not workers:
        findings.append(Finding("worker", Verdict.WRONG, "none is alive", REMEDIES["workers"]))
    return [*findings, *map(_of_worker, workers)]


def _of_check(check: Check, *, silent: bool) -> Finding:
    """One thing that the service tried; `silent` where its Redis did not answer."""
    verdict = Verdict.OK if check.ok else Verdict.WRONG if check.required else Verdict.WARNING
    cause = "redis" if silent and check.name in IN_REDIS else check.name
    advice = "" if check.ok else REMEDIES.get(cause, "see the API's log")
    return Finding(f"service {check.name}", verdict, check.detail, advice)


def _of_worker(worker: WorkerView) -> Finding:
    detail = f"{worker.model} on {worker.device}: an edit may take {size(worker.budget_bytes)}"
    if worker.budget_bytes == 0:
        advice = "end what else is on the card, or raise PALIMPSEST_MEMORY_BUDGET_BYTES"
        return Finding("worker", Verdict.WRONG, detail, advice)
    return Finding("worker", Verdict.OK, detail)
