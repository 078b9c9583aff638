from pathlib import Path

import pytest

from worker.demo.errors import ForeignDirectoryError, UnwritableDirectoryError
from worker.demo.folder import check_replaceable, check_writable, holds, publish


def write_one(directory: Path) -> None:
    (directory / "weights").write_text("one")


def test_a_published_directory_holds_its_digest_and_nothing_is_left_beside_it(
    tmp_path: Path,
) -> None:
    home = tmp_path / "parent" / "demo"

    publish(home, "d1", write=write_one)

    assert holds(home, "d1")
    assert not holds(home, "d2")
    assert (home / "weights").read_text() == "one"
    assert list(home.parent.iterdir()) == [home]


def test_writing_that_breaks_off_leaves_no_directory(tmp_path: Path) -> None:
    def break_off(directory: Path) -> None:
        write_one(directory)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path / "demo", "d1", write=break_off)

    assert list(tmp_path.iterdir()) == []


def test_another_digest_replaces_an_earlier_model(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    publish(home, "d1", write=write_one)

    publish(home, "d2", write=lambda directory: None)

    assert holds(home, "d2")
    assert not (home / "weights").exists()
    assert list(tmp_path.iterdir()) == [home]


def test_whoever_comes_second_to_the_same_model_leaves_the_first(tmp_path: Path) -> None:
    home = tmp_path / "demo"

    def overtaken(directory: Path) -> None:
        publish(home, "d1", write=write_one)

    publish(home, "d1", write=overtaken)

    assert (home / "weights").read_text() == "one"


def test_where_nothing_can_be_made_is_reported_before_anything_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    check_writable(tmp_path / "new" / "demo")

    assert list((tmp_path / "new").iterdir()) == []
    with pytest.raises(UnwritableDirectoryError, match="cannot write to"):
        check_writable(tmp_path / "file" / "demo")


def test_an_absent_an_empty_and_an_earlier_directory_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    publish(tmp_path / "earlier", "d1", write=write_one)

    for name in ("absent", "empty", "earlier"):
        check_replaceable(tmp_path / name)
    publish(tmp_path / "empty", "d1", write=write_one)

    assert holds(tmp_path / "empty", "d1")


def test_somebody_elses_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(ForeignDirectoryError, match="holds no demo model"):
        check_replaceable(tmp_path)


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").touch()

    with pytest.raises(ForeignDirectoryError):
        check_replaceable(tmp_path / "demo")
