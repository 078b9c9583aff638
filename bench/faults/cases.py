"""All faults, each with the place where it is injected."""

from bench.faults.acts import (
    api_killed_before_it_answers,
    broken_at,
    canceled_at,
    clock_jumped,
    damaged,
    flipped,
    halved,
    killed_at,
    redis_at_its_limit,
    redis_flushed,
    redis_killed_at,
    redis_paused,
    told_to_leave,
    two_workers,
    worker_stopped_past_its_lease,
)
from bench.faults.injection import Case
from bench.faults.silent_worker import canceled_while_stopped, deadlines_passed
from contract.wire.failures import ErrorCode
from contract.wire.lifecycle import Phase

IN_ENGINE = ("collect", "write", "evaluate")
PHASES = (*IN_ENGINE, "publish")
ALL = ("worker", "redis", "api")

CASES: tuple[Case, ...] = (
    *(Case("worker killed", f"in {p}", killed_at(p), is_kill=True) for p in PHASES),
    Case("worker killed", "publish and success", killed_at("success"), is_kill=True),
    Case("worker killed", "dequeue and start", killed_at("claim"), is_kill=True),
    Case("all killed", "in write", killed_at("write", *ALL), is_kill=True),
    Case("all killed", "in publish", killed_at("publish", *ALL), is_kill=True),
    Case("all killed", "dequeue and start", killed_at("claim", *ALL), is_kill=True),
    Case("worker stopped", "past its lease", worker_stopped_past_its_lease),
    Case("worker stopped", "past two deadlines", deadlines_passed),
    Case("worker stopped", "while canceling", canceled_while_stopped),
    Case("redis killed", "idle", redis_killed_at(None), is_kill=True),
    Case("redis killed", "in the middle", redis_killed_at("write"), is_kill=True),
    Case("redis killed", "at the end", redis_killed_at("success"), is_kill=True),
    Case("redis paused", "in the middle", redis_paused),
    Case("redis at maxmemory", "in the middle", redis_at_its_limit),
    Case("redis flushed", "one had finished", redis_flushed),
    Case("api killed", "before it answers", api_killed_before_it_answers, is_kill=True),
    Case("worker told to leave", "once", told_to_leave(times=1)),
    Case("worker told to leave", "twice", told_to_leave(times=2)),
    Case("canceled", "in collect", canceled_at(Phase.COLLECT)),
    Case("canceled", "in write", canceled_at(Phase.WRITE)),
    Case("disk full", "in publish", broken_at("store", "no_space", ErrorCode.STORE_FULL)),
    Case("file damaged", "cut short", damaged(halved)),
    Case("file damaged", "one bit", damaged(flipped)),
    # Once, so that half the layers per pass suffice; publishing has nothing to halve.
    *(Case("out of memory", f"in {p}", broken_at(p, "out_of_memory", None)) for p in IN_ENGINE),
    Case("out of memory", "in publish", broken_at("publish", "out_of_memory", ErrorCode.GPU_OOM)),
    *(Case("exception", f"in {p}", broken_at(p, "exception", ErrorCode.INTERNAL)) for p in PHASES),
    Case("two workers", "one device", two_workers),
    Case("clock jumped", "a day ahead", clock_jumped(86_400)),
    Case("clock jumped", "an hour back", clock_jumped(-3_600)),
)
