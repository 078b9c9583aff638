"""The packages of a service."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from palimpsest.local import parts

PROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_they_are_what_the_extras_of_the_api_and_the_worker_bring() -> None:
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]

    brought = {re.split("[<>=]", wanted)[0] for wanted in extras["api"] + extras["worker"]}

    assert set(parts.SERVICE) == brought


def test_what_cannot_be_imported_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)

    assert parts.missing(["json", "torch", "no_such_package"]) == ["torch", "no_such_package"]
