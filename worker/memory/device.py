"""How much memory the device has free, and what of it one edit may take."""

import gc
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from contract.admission.cards import SAFE_SHARE

_KIB = 1024


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """The bytes that are free for tensors, those there are, and those that this process holds."""

    free_bytes: int
    total_bytes: int
    own_bytes: int = 0

    @property
    def others_bytes(self) -> int:
        """What is neither free nor this process's own."""
        return max(self.total_bytes - self.free_bytes - self.own_bytes, 0)


class DeviceMemory(Protocol):
    """The memory in which the model resides."""

    def read(self) -> MemoryReading:
        """Measure now."""

    def release(self) -> None:
        """Let go of what nobody refers to any more."""


def memory_of(device: str) -> DeviceMemory:
    """The memory behind a torch device's name."""
    return CudaMemory(device) if device.startswith("cuda") else HostMemory()


def budget_bytes(reading: MemoryReading, *, cap_bytes: int | None) -> int:
    """What one edit may take above the resident weights."""
    safe_bytes = int(SAFE_SHARE * reading.free_bytes)
    return safe_bytes if cap_bytes is None else min(cap_bytes, safe_bytes)


def capacity_bytes(reading: MemoryReading, *, weights_bytes: int, cap_bytes: int | None) -> int:
    """What one edit could take if nothing but the weights were in the memory."""
    empty = MemoryReading(max(reading.total_bytes - weights_bytes, 0), reading.total_bytes)
    return budget_bytes(empty, cap_bytes=cap_bytes)


class CudaMemory:
    """A GPU: free for the process, or reserved by its allocator and unused."""

    def __init__(self, device: str) -> None:
        self._device = device

    def read(self) -> MemoryReading:
        import torch  # here, so that a worker's other parts load without it

        free_bytes, total_bytes = torch.cuda.mem_get_info(self._device)
        allocated = torch.cuda.memory_allocated(self._device)
        unused = torch.cuda.memory_reserved(self._device) - allocated
        return MemoryReading(free_bytes + unused, total_bytes, allocated)

    def release(self) -> None:
        import torch

        gc.collect()
        torch.cuda.empty_cache()


class HostMemory:
    """The machine's memory, or what the control group leaves of it."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._meminfo = root / "proc/meminfo"
        self._status = root / "proc/self/status"
        self._groups = (
            GroupFiles(root / "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
            GroupFiles(
                root / "sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file",
            ),
        )

    def read(self) -> MemoryReading:
        meminfo = self._meminfo.read_text()
        host = MemoryReading(
            free_bytes=meminfo_bytes(meminfo, "MemAvailable"),
            total_bytes=meminfo_bytes(meminfo, "MemTotal"),
            own_bytes=meminfo_bytes(self._status.read_text(), "RssAnon"),
        )
        groups = [reading for files in self._groups if (reading := files.read()) is not None]
        return replace(smallest(host, *groups), own_bytes=host.own_bytes)

    def release(self) -> None:
        gc.collect()


@dataclass(frozen=True, slots=True)
class GroupFiles:
    """Where a version of control groups keeps its figures."""

    directory: Path
    limit: str
    usage: str
    reclaimable: str

    def read(self) -> MemoryReading | None:
        """None when there is no such group, or it has no limit."""
        try:
            limit = (self.directory / self.limit).read_text()
            usage = (self.directory / self.usage).read_text()
            stat = (self.directory / "memory.stat").read_text()
        except FileNotFoundError:
            return None
        return group_reading(
            limit=limit, usage=usage, reclaimable_bytes=stat_bytes(stat, self.reclaimable)
        )


def meminfo_bytes(meminfo: str, name: str) -> int:
    """One figure of `/proc/meminfo`, or of `/proc/self/status`."""
    for line in meminfo.splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * _KIB
    raise KeyError(name)


def stat_bytes(stat: str, name: str) -> int:
    """One figure of a control group's `memory.stat`; 0 if it is not there."""
    for line in stat.splitlines():
        if line.startswith(name + " "):
            return int(line.split()[1])
    return 0


def group_reading(*, limit: str, usage: str, reclaimable_bytes: int) -> MemoryReading | None:
    """A control group's headroom: its limit less what is used and cannot be reclaimed."""
    # Version 1 says "no limit" with a number near the largest there is.
    if limit.strip() == "max" or int(limit) > sys.maxsize // 2:
        return None
    taken_bytes = int(usage) - reclaimable_bytes
    return MemoryReading(max(int(limit) - taken_bytes, 0), int(limit))


def smallest(*readings: MemoryReading) -> MemoryReading:
    """The least of each figure: every limit holds."""
    return MemoryReading(
        free_bytes=min(reading.free_bytes for reading in readings),
        total_bytes=min(reading.total_bytes for reading in readings),
    )
