"""`python -m worker` as a process, whose settings cannot be served."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

NOWHERE = {"REDIS_URL": "redis://127.0.0.1:1"}


def refused(**settings: str) -> str:
    """The one line that is told; exit status 2."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(
        (sys.executable, "-m", "worker"),
        env=kept | NOWHERE | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line.removeprefix("the worker cannot start: ")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"PALIMPSEST_LEASE_S": "soon"}, "PALIMPSEST_LEASE_S: Input should be a valid number"),
        ({"PALIMPSEST_DTYPE": "int8"}, "PALIMPSEST_DTYPE: is not one of float64, float32"),
        ({"REDIS_URL": "localhost"}, "REDIS_URL: is not a Redis URL"),
        ({}, "set PALIMPSEST_MODEL_DIR to the directory of the model to serve"),
        ({"PALIMPSEST_MODEL_DIR": "/nowhere"}, "no model can be loaded from /nowhere: it has no"),
        (
            {"PALIMPSEST_STORE_URL": "nonsense://kept", "PALIMPSEST_MODEL_DIR": "/"},
            "PALIMPSEST_STORE_URL: Protocol not known: nonsense",
        ),
        (  # that a store cannot be called now is no fault of the settings
            {
                "PALIMPSEST_STORE_URL": "ftp://127.0.0.1:1/store",
                "PALIMPSEST_MODEL_DIR": "/nowhere",
            },
            "no model can be loaded from /nowhere: it has no",
        ),
    ],
)
def test_settings_that_cannot_be_served_end_with_status_2_and_a_line(
    settings: dict[str, str], told: str
) -> None:
    assert refused(**settings).startswith(told)


def test_a_redis_that_refuses_us_is_reported_before_a_model_is_loaded(redis_url: str) -> None:
    url = redis_url.replace("unix://", "unix://nobody:wrong@")

    told = refused(REDIS_URL=url, PALIMPSEST_MODEL_DIR="/")

    assert told.startswith("REDIS_URL: ")
    assert "wrong" not in told.replace("WRONGPASS", "")


def test_reference_prompts_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    none = tmp_path / "none"

    told = refused(PALIMPSEST_MODEL_DIR=str(tmp_path), PALIMPSEST_REFERENCE_FILE=str(none))

    assert told == f"{none} cannot be read: No such file or directory"
