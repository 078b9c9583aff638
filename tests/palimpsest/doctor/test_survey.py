"""Looking at a machine."""

from pathlib import Path

import pytest

from palimpsest.doctor import survey
from palimpsest.doctor.findings import Card, Room, Wanted


def test_the_least_versions_are_those_of_the_packages_own_metadata() -> None:
    wanted = survey.wanted_versions()

    assert {"torch", "fastapi", "redis", "rq"} <= wanted.keys()
    assert wanted["rq"] == Wanted("3.0", below="4")
    assert "peft" not in wanted  # of development alone


def test_what_is_not_installed_has_no_version() -> None:
    assert survey.found_versions(["httpx", "no-such-package"]).keys() == {"httpx"}


def test_the_disk_is_that_of_the_nearest_directory_that_is_there(tmp_path: Path) -> None:
    found = survey.disk(tmp_path / "not" / "yet")

    assert found.free_bytes > 0
    assert found.refusal is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_where_a_file_lies_no_directory_can_be(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()

    assert survey.disk(tmp_path / place).refusal == "Not a directory"


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"PALIMPSEST_PORT": "abc"}, "PALIMPSEST_PORT: "),
        ({"PALIMPSEST_API_KEYS": "search"}, "PALIMPSEST_API_KEYS: entry 1 is not name:sha256"),
        ({"PALIMPSEST_API_KEYS_FILE": "/no/such/file"}, "/no/such/file: cannot be read"),
    ],
)
def test_settings_that_the_service_would_refuse_are_reported(
    environ: dict[str, str], told: str
) -> None:
    settings, refusal = survey.settings_in(environ)

    assert settings is None
    assert refusal is not None
    assert refusal.startswith(told)


@pytest.mark.parametrize(("url", "refused"), [("memory://kept", False), ("nonsense://kept", True)])
def test_a_store_is_somewhere_that_fsspec_knows(url: str, refused: bool) -> None:
    assert (survey.why_no_store(url) is not None) is refused


def test_a_model_is_loaded_into_the_cards_or_this_machine() -> None:
    cards = [Card("H100", 80, 70), Card("H100", 80, 60)]

    assert survey.room(cards) == Room("the GPU", 160, 130)
    assert survey.room([]).where == "this machine"
