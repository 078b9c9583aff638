from pathlib import Path

import pytest

from worker.memory.device import (
    CudaMemory,
    HostMemory,
    MemoryReading,
    budget_bytes,
    group_reading,
    meminfo_bytes,
    memory_of,
    stat_bytes,
)

MEMINFO = """MemTotal:       16000 kB
MemFree:         1000 kB
MemAvailable:    8000 kB
"""
STATUS = """VmRSS:	    5000 kB
RssAnon:	    2000 kB
"""
STAT = """anon 5000
inactive_file 1000
active_file 500
"""


def machine(root: Path, **files: str) -> Path:
    """A directory that looks like the root of a machine."""
    for name, text in ({"proc/meminfo": MEMINFO, "proc/self/status": STATUS} | files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_meminfo_is_in_kibibytes() -> None:
    assert meminfo_bytes(MEMINFO, "MemAvailable") == 8_192_000


def test_a_figure_that_meminfo_lacks_is_an_error() -> None:
    with pytest.raises(KeyError):
        meminfo_bytes(MEMINFO, "Mem")


def test_a_groups_figure_is_found_by_its_whole_name() -> None:
    assert stat_bytes(STAT, "inactive_file") == 1000
    assert stat_bytes(STAT, "file") == 0


def test_what_a_group_can_reclaim_is_free() -> None:
    reading = group_reading(limit="10000\n", usage="7000\n", reclaimable_bytes=1000)

    assert reading == MemoryReading(free_bytes=4000, total_bytes=10000)


def test_a_group_beyond_its_limit_has_nothing_free() -> None:
    reading = group_reading(limit="10000", usage="12000", reclaimable_bytes=0)

    assert reading == MemoryReading(free_bytes=0, total_bytes=10000)


@pytest.mark.parametrize("limit", ["max\n", "9223372036854771712\n"])
def test_a_group_without_a_limit_says_nothing(limit: str) -> None:
    assert group_reading(limit=limit, usage="7000", reclaimable_bytes=0) is None


def test_a_machine_without_groups_has_what_is_available(tmp_path: Path) -> None:
    memory = HostMemory(machine(tmp_path))

    assert memory.read() == MemoryReading(8_192_000, 16_384_000, own_bytes=2_048_000)


def test_a_container_has_what_its_group_leaves(tmp_path: Path) -> None:
    group = {
        "sys/fs/cgroup/memory.max": "10000\n",
        "sys/fs/cgroup/memory.current": "7000\n",
        "sys/fs/cgroup/memory.stat": STAT,
    }

    memory = HostMemory(machine(tmp_path, **group))

    assert memory.read() == MemoryReading(4000, 10000, own_bytes=2_048_000)


def test_an_older_container_has_what_its_group_leaves(tmp_path: Path) -> None:
    group = {
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "10000\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "7000\n",
        "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 2000\n",
    }

    memory = HostMemory(machine(tmp_path, **group))

    assert memory.read() == MemoryReading(5000, 10000, own_bytes=2_048_000)


def test_a_group_larger_than_the_machine_does_not_add_memory(tmp_path: Path) -> None:
    group = {
        "sys/fs/cgroup/memory.max": "99999999999\n",
        "sys/fs/cgroup/memory.current": "0\n",
        "sys/fs/cgroup/memory.stat": "",
    }

    memory = HostMemory(machine(tmp_path, **group))

    assert memory.read() == MemoryReading(8_192_000, 16_384_000, own_bytes=2_048_000)


def test_this_machine_can_be_read() -> None:
    reading = HostMemory().read()

    assert 0 < reading.free_bytes <= reading.total_bytes


def test_a_budget_is_nine_tenths_of_what_is_free() -> None:
    assert budget_bytes(MemoryReading(1000, 5000), cap_bytes=None) == 900


def test_a_cap_lowers_the_budget_and_never_raises_it() -> None:
    reading = MemoryReading(1000, 5000)

    assert budget_bytes(reading, cap_bytes=500) == 500
    assert budget_bytes(reading, cap_bytes=5000) == 900


def test_a_gpu_is_asked_for_its_own_memory() -> None:
    assert isinstance(memory_of("cuda:1"), CudaMemory)
    assert isinstance(memory_of("cpu"), HostMemory)
