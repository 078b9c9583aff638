"""The pins are whole: `make install` takes nothing that they do not name."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(lines: list[str]) -> dict[str, Requirement]:
    return {canonicalize_name(r.name): r for r in map(Requirement, lines)}


def test_what_the_project_and_its_tests_need_is_pinned_within_its_bounds() -> None:
    pins = requirements((ROOT / "requirements.lock").read_text().splitlines())
    extras = PROJECT["optional-dependencies"]
    needed = requirements([*PROJECT["dependencies"], *extras["api"], *extras["worker"]])
    needed |= requirements([*extras["local"], *extras["dev"]])

    for name in needed.keys() - {PROJECT["name"]}:
        (pin,) = pins[name].specifier
        assert pin.operator == "==", name
        assert needed[name].specifier.contains(pin.version), name
