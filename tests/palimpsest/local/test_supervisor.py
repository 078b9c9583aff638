"""Real children, kept running and stopped."""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from palimpsest.local.programs import Program
from palimpsest.local.stack import PACKAGES
from palimpsest.local.supervisor import GivenUpError, Supervisor, wait_until

pytestmark = pytest.mark.slow

SLEEPS = "import time; print('hello', flush=True); time.sleep(600)"
IGNORES_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('deaf', flush=True); time.sleep(600)"
)
Tells = list[str]
Make = Callable[..., Program]


@pytest.fixture
def toy(tmp_path: Path) -> Make:
    """Makes a program of a line of Python."""

    def make(code: str, *, name: str = "toy") -> Program:
        argv = (sys.executable, "-S", "-c", code)
        log = tmp_path / f"{name}.log"
        return Program(name=name, argv=argv, environ=dict(os.environ), cwd=tmp_path, log=log)

    return make


@pytest.fixture
def told() -> Tells:
    return []


@pytest.fixture
def supervisor(told: Tells) -> "Supervisor":
    return Supervisor(tell=told.append)


def _until(supervisor: Supervisor, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    reached = wait_until(
        done, supervisor=supervisor, interrupted=lambda: time.monotonic() > deadline
    )
    assert reached


def test_a_killed_program_is_started_again(toy: Make, supervisor: Supervisor, told: Tells) -> None:
    supervisor.was_ready = True
    supervisor.add(toy(SLEEPS))
    first = supervisor.pid("toy")
    assert first is not None

    os.kill(first, signal.SIGKILL)
    _until(supervisor, lambda: supervisor.pid("toy") not in (None, first))

    assert told[0].startswith("toy ended with signal 9 after ")
    assert told[-1] == "toy is started again"
    supervisor.kill_all()


def test_the_last_words_of_a_program_are_passed_on(
    toy: Make, supervisor: Supervisor, told: Tells
) -> None:
    supervisor.add(toy("print('no such model'); raise SystemExit(2)"))

    with pytest.raises(GivenUpError, match="toy ended with exit code 2: its configuration") as up:
        _until(supervisor, lambda: False)

    assert up.value.is_configuration
    assert told[1:] == ["  toy | no such model"]


def test_only_the_words_of_this_start_are_passed_on(
    toy: Make, supervisor: Supervisor, told: Tells
) -> None:
    program = toy("raise SystemExit(2)")
    program.log.write_text("of yesterday\n")
    supervisor.add(program)

    with pytest.raises(GivenUpError):
        _until(supervisor, lambda: False)

    assert len(told) == 1


def test_a_log_that_somebody_took_away_is_begun_anew(toy: Make, supervisor: Supervisor) -> None:
    supervisor.was_ready = True
    program = toy(SLEEPS)
    supervisor.add(program)
    first = supervisor.pid("toy")
    assert first is not None
    _until(supervisor, program.log.exists)

    program.log.unlink()
    os.kill(first, signal.SIGKILL)
    _until(supervisor, lambda: program.log.exists() and program.log.read_text() == "hello\n")

    assert _lives(supervisor.pid("toy") or 0)
    supervisor.kill_all()


def test_last_words_in_a_log_that_is_gone_are_done_without(
    toy: Make, supervisor: Supervisor, told: Tells
) -> None:
    supervisor.was_ready = True
    supervisor.add(toy("import os; os.remove('toy.log'); raise SystemExit(1)"))

    _until(supervisor, lambda: "toy is started again" in told)

    assert told[0].startswith("toy ended with exit code 1")
    supervisor.kill_all()


def test_what_cannot_be_started_now_is_tried_again_and_the_others_go_on(
    toy: Make, supervisor: Supervisor, told: Tells, tmp_path: Path
) -> None:
    supervisor.was_ready = True
    supervisor.add(toy(SLEEPS, name="other"))
    logs, away = tmp_path / "logs", tmp_path / "away"
    logs.mkdir()
    supervisor.add(replace(toy(SLEEPS), log=logs / "toy.log"))
    first = supervisor.pid("toy")
    assert first is not None

    logs.rename(away)
    os.kill(first, signal.SIGKILL)
    _until(supervisor, lambda: "toy cannot be started: No such file or directory" in told)
    assert supervisor.pid("toy") is None
    assert _lives(supervisor.pid("other") or 0)

    away.rename(logs)
    _until(supervisor, lambda: supervisor.pid("toy") not in (None, first))

    supervisor.kill_all()


def test_stopping_is_asked_for_politely(toy: Make, supervisor: Supervisor) -> None:
    program = toy(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(0)))\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)"
    )
    supervisor.add(program)
    _until(supervisor, lambda: "ready" in program.log.read_text())

    supervisor.stop("toy", grace_s=30.0, hurried=lambda: False)

    assert program.log.read_text() == "ready\nbye\n"


def test_who_does_not_listen_is_killed_when_hurried(toy: Make, supervisor: Supervisor) -> None:
    program = toy(IGNORES_SIGTERM)
    supervisor.add(program)
    pid = supervisor.pid("toy")
    assert pid is not None
    _until(supervisor, lambda: "deaf" in program.log.read_text())

    supervisor.stop("toy", grace_s=None, hurried=lambda: True)

    assert not _lives(pid)


def test_the_others_are_kept_running_while_one_drains(
    toy: Make, supervisor: Supervisor, told: Tells
) -> None:
    supervisor.was_ready = True
    draining = toy(IGNORES_SIGTERM, name="draining")
    supervisor.add(toy(SLEEPS, name="needed"))
    supervisor.add(draining)
    needed = supervisor.pid("needed")
    assert needed is not None
    _until(supervisor, lambda: "deaf" in draining.log.read_text())
    os.kill(needed, signal.SIGKILL)

    supervisor.stop("draining", grace_s=None, hurried=lambda: "needed is started again" in told)

    assert supervisor.pid("needed") not in (None, needed)
    supervisor.kill_all()


WAITS = (
    "import sys, time\n"
    "if '--spare' in sys.argv:\n"
    "    print('spare', flush=True)\n"
    "    sys.stdin.readline() or sys.exit()\n"
    "print('works', flush=True)\n"
    "time.sleep(600)"
)


@pytest.fixture
def hasty(told: Tells) -> Supervisor:
    """For whom time runs a hundred times as fast."""
    supervisor = Supervisor(tell=told.append, clock=lambda: 100 * time.monotonic())
    supervisor.was_ready = True
    return supervisor


def test_a_spare_gets_ready_and_takes_over(toy: Make, hasty: Supervisor) -> None:
    program = replace(toy(WAITS), has_spare=True)
    hasty.add(program)
    first = hasty.pid("toy")
    assert first is not None
    _until(hasty, lambda: program.log.read_text() == "works\nspare\n")

    os.kill(first, signal.SIGKILL)
    _until(hasty, lambda: program.log.read_text() == "works\nspare\nworks\nspare\n")

    assert _lives(hasty.pid("toy") or 0)
    hasty.kill_all()


def test_a_spare_that_died_is_no_hindrance(toy: Make, hasty: Supervisor) -> None:
    dies = "import sys, time\nif '--spare' in sys.argv: sys.exit(1)\ntime.sleep(600)"
    hasty.add(replace(toy(dies), has_spare=True))
    first = hasty.pid("toy")
    assert first is not None
    spare = hasty._children["toy"]
    _until(hasty, lambda: spare.spare is not None and spare.spare.poll() == 1)

    os.kill(first, signal.SIGKILL)
    _until(hasty, lambda: hasty.pid("toy") not in (None, first))

    assert _lives(hasty.pid("toy") or 0)
    hasty.kill_all()


@pytest.mark.parametrize("end", ["stop", "kill_all"])
def test_a_spare_ends_with_its_program(toy: Make, hasty: Supervisor, end: str) -> None:
    hasty.add(replace(toy(WAITS), has_spare=True))
    child = hasty._children["toy"]
    _until(hasty, lambda: child.spare is not None)
    assert child.spare is not None

    if end == "stop":
        hasty.stop("toy", grace_s=30.0, hurried=lambda: False)
    hasty.kill_all()

    assert not _lives(child.spare.pid)


def test_a_child_that_is_stopped_while_it_awaits_its_restart_stays_stopped(
    toy: Make, told: Tells
) -> None:
    late_s = 0.0
    supervisor = Supervisor(tell=told.append, clock=lambda: time.monotonic() + late_s)
    supervisor.was_ready = True
    supervisor.add(toy("raise SystemExit(1)"))
    _until(supervisor, lambda: supervisor.pid("toy") is None)

    supervisor.stop("toy", grace_s=None, hurried=lambda: False)
    late_s = 600.0
    supervisor.tend()

    assert "toy is started again" not in told


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the Linux kernel")
def test_no_child_outlives_a_killed_parent(toy: Make, tmp_path: Path) -> None:
    parent = toy(
        "import sys, time\n"
        f"sys.path.insert(0, {str(PACKAGES)!r})\n"
        "from pathlib import Path\n"
        "from palimpsest.local.programs import Program, start\n"
        "child = Program(name='c', argv=(sys.executable, '-c', 'import time; time.sleep(600)'),\n"
        f"    environ={{}}, cwd=Path('/'), log=Path({str(tmp_path / 'child.log')!r}))\n"
        "print('child', start(child).pid, flush=True)\n"
        "time.sleep(600)"
    )
    supervisor = Supervisor(tell=lambda _: None)
    supervisor.add(parent)
    _until(supervisor, lambda: "child" in parent.log.read_text())
    child = int(parent.log.read_text().split()[1])
    assert _lives(child)

    supervisor.kill_all()

    _until(supervisor, lambda: not _lives(child))


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
