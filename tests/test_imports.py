"""Imports point one way: each package loads where those it must not need are missing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "transformers", "peft", "worker")

IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None  # importing it now raises ModuleNotFoundError
for name in sys.argv[2].split(","):
    importlib.import_module(name)
"""

IMPORT_WITH_THE_STANDARD_LIBRARY = """
import importlib, sys
before = set(sys.modules)
importlib.import_module(sys.argv[1])
loaded = {name for name in set(sys.modules) - before - {"contract"}}
loaded = {name for name in loaded if not f"{name}.".startswith("contract.memory.")}
print(sorted(n for n in loaded if n.split(".")[0] not in sys.stdlib_module_names))
"""


def modules_of(package: str) -> list[str]:
    """The modules of a package that there are, by their files."""
    directory = ROOT.joinpath(*package.split("."))
    return sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in directory.rglob("*.py")
    )


def python(script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("package", "missing"),
    [
        ("contract", (*HEAVY, "app", "palimpsest")),
        ("app", (*HEAVY, "palimpsest")),
        ("palimpsest", (*HEAVY, "app", "redis", "rq", "fastapi")),
    ],
)
def test_a_package_loads_without_what_it_must_not_need(
    package: str, missing: tuple[str, ...]
) -> None:
    modules = modules_of(package)
    assert modules

    process = python(IMPORT_ALL, ",".join(missing), ",".join(modules))

    assert process.returncode == 0, process.stderr


def test_the_engine_and_its_bench_load_with_the_memory_formula_as_all_they_know_of_us() -> None:
    ours = {"contract", *modules_of("contract.memory")}
    others = [name for name in modules_of("contract") if name not in ours]
    others += [name for name in modules_of("worker") if not is_engine(name)]
    missing = ("redis", "rq", "pydantic", "app", "palimpsest", *others)

    modules = [*modules_of("worker.kn"), "bench.gpu"]
    process = python(IMPORT_ALL, ",".join(missing), ",".join(modules))

    assert process.returncode == 0, process.stderr


def is_engine(name: str) -> bool:
    return name in ("worker", "worker.kn") or name.startswith("worker.kn.")


def test_the_memory_formula_needs_the_standard_library_alone() -> None:
    process = python(IMPORT_WITH_THE_STANDARD_LIBRARY, "contract.memory")

    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == "[]"


def test_a_missing_module_is_noticed() -> None:
    process = python(IMPORT_ALL, "redis", "contract.ledger.ledger")

    assert process.returncode != 0
    assert "ModuleNotFoundError" in process.stderr
