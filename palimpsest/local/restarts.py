"""Whether, and how soon, a program that ended is started again."""

from dataclasses import dataclass

CONFIGURATION_ERRORS = frozenset({2, 64, 78})  # argparse's, EX_USAGE, EX_CONFIG
SETTLED_S = 10.0
MAX_FAILED_STARTS = 3
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 2.0  # a killed worker is to be back, model and all, within 15 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a program ended."""

    returncode: int
    lived_s: float
    quick_deaths: int
    """How often in a row it died before it had settled, this time not counted."""
    was_ready: bool
    """Whether everything has been up at least once."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again after a pause."""

    pause_s: float
    quick_deaths: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Starting it again would not help."""

    reason: str


def after(ending: Ending) -> Restart | GiveUp:
    """Start again, after a pause that doubles while the program keeps dying young.

    A wrong configuration does not mend itself, nor does a program that fails again and again
    before it ever worked. What was killed by a signal may have been killed by anyone.
    """
    if not ending.was_ready and ending.returncode in CONFIGURATION_ERRORS:
        return GiveUp("its configuration is wrong")
    settled = ending.was_ready and ending.lived_s >= SETTLED_S
    quick_deaths = 1 if settled else ending.quick_deaths + 1
    if not ending.was_ready and ending.returncode >= 0 and quick_deaths >= MAX_FAILED_STARTS:
        return GiveUp(f"it failed {quick_deaths} times in a row")
    return Restart(min(FIRST_PAUSE_S * 2.0 ** (quick_deaths - 1), LONGEST_PAUSE_S), quick_deaths)


def manner(returncode: int) -> str:
    """How a program ended, in words."""
    return f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"
