"""Looking at this machine: packages, cards, memory, disk, settings."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryFile

from contract.keys import KeyRing, KeysError
from contract.settings import Settings, SettingsError
from palimpsest.doctor.findings import Card, Disk, Room, Wanted

DISTRIBUTION = "palimpsest-kn"
PARTS = ("api", "worker")
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[.*\])?(?:<([0-9.]+),)?>=([0-9.]+)")
_MIB = 1024**2


def wanted_versions() -> dict[str, Wanted]:
    """The versions of each package that the API and the worker work with."""
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from its sources
        return {}
    of_parts = [r for r in requirements if any(f'extra == "{part}"' in r for part in PARTS)]
    found = (_REQUIREMENT.match(requirement) for requirement in of_parts)
    return {match[1]: Wanted(match[3], match[2]) for match in found if match}


def own_version() -> str:
    """The version of this distribution."""
    return found_versions([DISTRIBUTION]).get(DISTRIBUTION, "from its sources")


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


def room(cards: Sequence[Card]) -> Room:
    """Where a model would be loaded: the cards together, or this machine without any."""
    if not cards:
        return Room("this machine", memory_bytes(), free_memory_bytes())
    total = sum(card.total_bytes for card in cards)
    return Room("the GPU", total, sum(card.free_bytes for card in cards))


def free_memory_bytes() -> int | None:
    """What of it could be had now; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    told = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(told[0]) * 1024 if told else None


def disk(directory: Path) -> Disk:
    """What there is to write to where the directory lies, or would lie."""
    try:
        there = next(place for place in (directory, *directory.parents) if place.exists())
        free_bytes = shutil.disk_usage(there).free
        with TemporaryFile(dir=there) as tried:
            tried.write(b"\0")
    except OSError as error:
        return Disk(0, error.strerror or type(error).__name__)
    return Disk(free_bytes)


def why_no_store(url: str) -> str | None:
    """Why no store can be kept at a URL, as far as that can be told without going there."""
    try:
        import fsspec  # what keeps no store does without it
    except ImportError:
        return "fsspec is not installed"
    try:
        fsspec.get_filesystem_class(fsspec.utils.get_protocol(url))
    except (ImportError, ValueError) as error:
        return str(error)
    return None


def settings_in(environ: Mapping[str, str]) -> tuple[Settings | None, str | None]:
    """The settings of the environment, or what is wrong with them."""
    try:
        settings = Settings.from_environment(environ)
        KeyRing.of(settings)
    except (SettingsError, KeysError) as error:
        return None, str(error)
    return settings, None
