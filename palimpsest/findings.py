"""What a look at an installation found, and what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from contract.views import WorkerView
from palimpsest.asks import Check
from palimpsest.reports import size

LEAST_DISK_BYTES = 1_000_000_000


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


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What lies in a model's directory."""

    has_config: bool
    has_tokenizer: bool
    weights_bytes: int
    is_quantized: bool


def of_versions(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[Finding]:
    """Each package that a part of the service needs: `wanted` is its least version."""
    return [_of_version(name, found.get(name), least) for name, least in sorted(wanted.items())]


def _of_version(name: str, found: str | None, least: str) -> Finding:
    if found is None:
        advice = "pip install 'palimpsest-kn[api,worker,local]', where the service is to run"
        return Finding(name, Verdict.WARNING, "not installed", advice)
    if _release(found) < _release(least):
        return Finding(name, Verdict.WRONG, f"{found} is too old", f"pip install '{name}>={least}'")
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
        told = "no NVIDIA driver answers: a worker here computes on the CPU"
        return [Finding("gpu", Verdict.WARNING, told, "a 7B model wants a card of 24 GB")]
    findings = [
        Finding("gpu", Verdict.OK, f"{c.name}, {size(c.free_bytes)} of {size(c.total_bytes)} free")
        for c in cards
    ]
    if torch is not None and torch.endswith("+cpu"):
        advice = "install torch from the index of your CUDA version"
        findings.append(Finding("gpu", Verdict.WRONG, f"torch {torch} knows no GPU", advice))
    return findings


def of_model(files: ModelFiles, *, room_bytes: int, where: str) -> Finding:
    """Whether a model can be loaded; `room_bytes` is what `where` has in all."""
    wrong = None
    if not files.has_config:
        wrong = "no config.json", "name a directory as Hugging Face keeps it"
    elif files.is_quantized:
        wrong = "its weights are quantised", "take the model in bfloat16 or float16"
    elif not files.weights_bytes:
        wrong = "no *.safetensors", "convert the weights: save_pretrained(…) writes safetensors"
    elif not files.has_tokenizer:
        wrong = "no tokenizer.json", "bring the tokenizer's files, too"
    elif files.weights_bytes > room_bytes:
        told = f"{size(files.weights_bytes)} of weights, {size(room_bytes)} on {where}"
        wrong = told, "take a smaller model, or --device auto over several cards"
    if wrong is not None:
        return Finding("model", Verdict.WRONG, *wrong)
    return Finding("model", Verdict.OK, f"{size(files.weights_bytes)} of weights")


def of_disk(directory: str, *, free_bytes: int, is_writable: bool) -> Finding:
    """Whether checkpoints can be kept."""
    if not is_writable:
        advice = "change its owner, or choose another with --data-dir"
        return Finding("store", Verdict.WRONG, f"{directory} cannot be written", advice)
    told = f"{directory}, {size(free_bytes)} free"
    if free_bytes < LEAST_DISK_BYTES:
        return Finding("store", Verdict.WARNING, told, "make room: each edit keeps its adapter")
    return Finding("store", Verdict.OK, told)


def of_redis(told: Mapping[str, str], *, where: str) -> list[Finding]:
    """A Redis by its own INFO."""
    version = f"{where} runs {told.get('redis_version', '?')}"
    findings = [Finding("redis", Verdict.OK, version)]
    if told.get("aof_enabled") != "1":
        advice = "start it with --appendonly yes --appendfsync always"
        findings.append(Finding("redis", Verdict.WRONG, "a crash would lose edits", advice))
    if told.get("maxmemory_policy", "noeviction") != "noeviction":
        advice = "start it with --maxmemory-policy noeviction"
        findings.append(Finding("redis", Verdict.WRONG, "it may throw edits away", advice))
    return findings


def of_service(checks: Sequence[Check], workers: Sequence[WorkerView]) -> list[Finding]:
    """A running service by what it tried, and each worker's memory."""
    findings = [_of_check(check) for check in checks]
    if not workers:
        advice = "start one: palimpsest up, or python -m worker; its log tells why it ends"
        findings.append(Finding("worker", Verdict.WRONG, "none is alive", advice))
    return [*findings, *map(_of_worker, workers)]


def _of_check(check: Check) -> Finding:
    verdict = Verdict.OK if check.ok else Verdict.WRONG if check.required else Verdict.WARNING
    return Finding(f"service {check.name}", verdict, check.detail)


def _of_worker(worker: WorkerView) -> Finding:
    told = f"{worker.model} on {worker.device}: an edit may take {size(worker.budget_bytes)}"
    if worker.budget_bytes == 0:
        advice = "end what else is on the card, or raise PALIMPSEST_MEMORY_BUDGET_BYTES"
        return Finding("worker", Verdict.WRONG, told, advice)
    return Finding("worker", Verdict.OK, told)
