"""What `palimpsest up` makes of its arguments."""

import argparse
import errno
import os
from io import StringIO
from pathlib import Path

import pytest

from contract.keys import entry_of
from palimpsest.__main__ import run
from palimpsest.command import Session, UsageError
from palimpsest.commands import up
from palimpsest.local.stack import Site
from palimpsest.terminal.console import Console


def _site(*argv: str, environ: dict[str, str] | None = None) -> Site:
    parser = argparse.ArgumentParser()
    up.add_arguments(parser)
    console = Console(StringIO(), StringIO())

    def no_client() -> None:
        raise AssertionError("up asks no service")

    session = Session(console=console, environ=environ or {}, client=no_client)  # type: ignore[arg-type]
    return up.site_of(parser.parse_args(argv), session)


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny/config.json").write_text("{}")
    return tmp_path / "tiny"


def test_flags_become_the_settings_of_the_children(model_dir: Path, tmp_path: Path) -> None:
    reference = tmp_path / "reference.txt"
    reference.touch()
    flags = "--port 0 --dtype float32 --device cpu --threads 2 --memory-budget-bytes 1000"

    site = _site(
        *("--model", str(model_dir), "--name", "demo", "--data-dir", str(tmp_path / "d")),
        *("--reference", str(reference), *flags.split()),
        environ={"HOME": "/home/me", "PALIMPSEST_LEASE_S": "3", "PALIMPSEST_DTYPE": "float16"},
    )

    assert site.environ == {
        "HOME": "/home/me",
        "PALIMPSEST_LEASE_S": "3",
        "PALIMPSEST_MODEL_DIR": str(model_dir),
        "PALIMPSEST_MODEL_NAME": "demo",
        "PALIMPSEST_DATA_DIR": str(tmp_path / "d"),
        "PALIMPSEST_REFERENCE_FILE": str(reference),
        "PALIMPSEST_PORT": str(site.port),
        "PALIMPSEST_DTYPE": "float32",
        "PALIMPSEST_DEVICE": "cpu",
        "PALIMPSEST_THREADS": "2",
        "PALIMPSEST_MEMORY_BUDGET_BYTES": "1000",
        "PYTHONUNBUFFERED": "1",
    }
    assert site.model == "demo"
    assert site.port > 0


def test_the_model_is_called_like_its_directory(model_dir: Path) -> None:
    site = _site("--model", str(model_dir), "--port", "0")

    assert site.model == "tiny"
    assert site.url == f"http://127.0.0.1:{site.port}"


def test_a_relative_path_stays_right_where_the_children_run(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model_dir.parent)

    site = _site("--port", "0", environ={"PALIMPSEST_MODEL_DIR": "tiny"})

    assert site.environ["PALIMPSEST_MODEL_DIR"] == str(model_dir)
    assert site.data_dir.root == model_dir.parent / "data"


@pytest.mark.parametrize(
    ("flags", "environ", "told"),
    [
        (("--port", "65536"), {}, "PALIMPSEST_PORT: Input should be less than or equal to 65535"),
        (("--dtype", "int8"), {}, "PALIMPSEST_DTYPE: is not one of float64, float32"),
        ((), {"PALIMPSEST_LEASE_S": "soon"}, "PALIMPSEST_LEASE_S: Input should be a valid number"),
        ((), {"PALIMPSEST_API_KEYS": "pal_x"}, "PALIMPSEST_API_KEYS: entry 1 is not name:sha256"),
        ((), {"PALIMPSEST_API_KEYS_FILE": "/no/keys"}, "/no/keys: cannot be read"),
        ((), {"REDIS_URL": "localhost"}, "REDIS_URL: is not a Redis URL"),
        (
            (),
            {"REDIS_URL": "redis://127.0.0.1:1"},
            "REDIS_URL: Connection refused; start Redis there, or correct REDIS_URL",
        ),
        (("--host", "0.0.0.0"), {}, "'0.0.0.0' is not a loopback address, and there are no keys"),
        (("--model", "/no/model"), {}, "/no/model is not a model directory: it has no config.json"),
    ],
)
def test_what_cannot_be_served_is_reported_before_anything_is_started(
    model_dir: Path, flags: tuple[str, ...], environ: dict[str, str], told: str
) -> None:
    with pytest.raises(UsageError) as refused:
        _site("--model", str(model_dir), *flags, environ=environ)

    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ('{"model_type": "gpt2"}', "model type 'gpt2' is not one of llama, "),
        ('{"quantization_config": {}}', "the model is quantised"),
        ("{", "{model_dir}/config.json is not JSON"),
    ],
)
def test_a_model_that_no_worker_loads_is_reported_before_the_data_directory_is_made(
    model_dir: Path, config: str, told: str
) -> None:
    (model_dir / "config.json").write_text(config)
    out = StringIO()
    data_dir = model_dir.parent / "data"

    code = run(
        ["up", "--model", str(model_dir), "--data-dir", str(data_dir)],
        environ={},
        out=out,
        err=out,
    )

    assert code == 2
    assert out.getvalue().startswith("palimpsest: " + told.replace("{model_dir}", str(model_dir)))
    assert not data_dir.exists()


def test_with_keys_it_may_listen_anywhere(model_dir: Path) -> None:
    keys = {"PALIMPSEST_API_KEYS": entry_of("team", "pal_x")}

    site = _site("--model", str(model_dir), "--port", "0", "--host", "0.0.0.0", environ=keys)

    assert site.host == "0.0.0.0"


def test_a_redis_that_is_named_and_answers_is_taken(model_dir: Path, redis_url: str) -> None:
    site = _site("--model", str(model_dir), "--port", "0", environ={"REDIS_URL": redis_url})

    assert site.environ["REDIS_URL"] == redis_url


class Full(StringIO):
    """Lies on a disk that is full, or in a terminal that was closed."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_serving_goes_on_though_nobody_can_be_told_of_it() -> None:
    err = StringIO()

    up.tell_ready("Palimpsest serves tiny at http://127.0.0.1:8000", Console(Full(), err))

    assert err.getvalue() == (
        "Palimpsest serves tiny at http://127.0.0.1:8000; "
        "the answer cannot be written: No space left on device\n"
    )
