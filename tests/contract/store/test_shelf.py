"""The shelf: the same on a local directory and on another file system."""

import errno
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from rq.timeouts import JobTimeoutException

from contract.store.errors import StoreFullError, StoreUnavailableError, UnknownStoreError
from contract.store.opening import Opening
from contract.store.shelf import Entry, LocalShelf, Shelf
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointView


@pytest.fixture(params=["local", "memory"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path)
        return
    yield (url := f"memory://{uuid4().hex}")
    fsspec.filesystem("memory").rm(url, recursive=True)


@pytest.fixture
def shelf(location: str) -> Shelf:
    shelf = Shelf.at(location)
    shelf.replace("probe", b"")
    return shelf


def test_a_directory_is_written_durably_and_anything_else_as_it_can(tmp_path: Path) -> None:
    assert isinstance(Shelf.at(tmp_path), LocalShelf)
    assert not isinstance(Shelf.at("memory://somewhere"), LocalShelf)


def test_what_is_created_stands(shelf: Shelf) -> None:
    shelf.create("folder/name", b"first")

    with pytest.raises(FileExistsError):
        shelf.create("folder/name", b"second")

    assert shelf.read("folder/name") == b"first"


def test_what_is_replaced_does_not(shelf: Shelf) -> None:
    shelf.replace("folder/name", b"first")
    shelf.replace("folder/name", b"other")

    assert shelf.read("folder/name") == b"other"


def test_what_is_kept_again_counts_as_new(shelf: Shelf) -> None:
    shelf.keep("name", b"abc")
    before_s = shelf.changed_s("name")

    shelf.keep("name", b"abc")

    assert shelf.changed_s("name") > before_s
    assert shelf.read("name") == b"abc"


def test_a_reader_can_be_anywhere_in_a_file(shelf: Shelf) -> None:
    shelf.replace("name", b"abcdef")

    with shelf.open("name") as file:
        file.seek(2)
        assert file.read(3) == b"cde"


def test_a_folder_lists_all_that_lies_in_it(shelf: Shelf) -> None:
    shelf.replace("folder/b/2", b"22")
    shelf.replace("folder/a", b"1")

    assert list(shelf.entries("folder")) == [Entry("folder/a", 1), Entry("folder/b/2", 2)]
    assert list(shelf.entries("nowhere")) == []


def test_a_folder_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    shelf = Shelf.at(tmp_path)
    (tmp_path / "folder").write_text("no directory")

    with pytest.raises(StoreUnavailableError):
        list(shelf.entries("folder"))


class Locked(MemoryFileSystem):  # type: ignore[misc]
    """A file system that lets nobody look into its folder `locked`."""

    protocol = "locked"

    def ls(self, path: str, detail: bool = True, **told: object) -> list[object]:
        if path.endswith("/locked"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return list(super().ls(path, detail=detail, **told))


@pytest.mark.parametrize("folder", ["folder/locked", "folder"])
def test_neither_is_one_of_another_file_system_nor_one_among_others(folder: str) -> None:
    shelf = Shelf(Locked(), f"/{uuid4().hex}")
    shelf.replace("folder/locked/a", b"1")
    shelf.replace("folder/open/b", b"2")

    assert list(shelf.entries("folder/open")) == [Entry("folder/open/b", 1)]
    with pytest.raises(StoreUnavailableError, match=r"^Permission denied$"):
        list(shelf.entries(folder))


def test_what_is_removed_is_gone_and_may_be_removed_again(shelf: Shelf) -> None:
    shelf.replace("name", b"abc")

    shelf.remove("name")
    shelf.remove("name")

    for look in (shelf.open, shelf.changed_s):
        with pytest.raises(FileNotFoundError):
            look("name")


def test_a_checkpoint_is_committed_once_wherever_it_lies(
    location: str, checkpoint: CheckpointView
) -> None:
    store = CheckpointStore(location)
    file = store.put("name", b"abc")
    first = store.commit(checkpoint.model_copy(update={"files": (file,)}))

    late = store.commit(checkpoint.model_copy(update={"attempt": 2}))

    assert late == first
    assert store.ids() == [checkpoint.id]
    assert store.read(first.files[0]) == b"abc"


class NoEndpointError(Exception):
    """No `OSError`, as those of a service's own library are not."""


class Broken(MemoryFileSystem):  # type: ignore[misc]
    """A file system that answers all that is asked of it with an error."""

    protocol = "broken"
    cachable = False

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def fail(self, *asked: object, **told: object) -> None:
        raise self._error

    pipe_file = open = rm_file = modified = ls = fail


ASKED: list[Callable[[Shelf], object]] = [
    lambda shelf: shelf.create("name", b""),
    lambda shelf: shelf.replace("name", b""),
    lambda shelf: shelf.keep("name", b""),
    lambda shelf: shelf.open("name"),
    lambda shelf: shelf.read("name"),
    lambda shelf: shelf.changed_s("name"),
    lambda shelf: shelf.remove("name"),
    lambda shelf: list(shelf.entries("name")),
]


@pytest.mark.parametrize("ask", ASKED)
def test_what_goes_wrong_with_a_service_is_reported_without_its_address(
    ask: Callable[[Shelf], object],
) -> None:
    shelf = Shelf(Broken(NoEndpointError("http://10.0.0.1/bucket")), "/anywhere")

    with pytest.raises(StoreUnavailableError, match=r"^NoEndpointError$"):
        ask(shelf)


@pytest.mark.parametrize("ask", ASKED)
def test_what_goes_wrong_with_a_directory_is_reported_without_its_path(
    ask: Callable[[Shelf], object], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no directory")

    with pytest.raises(StoreUnavailableError, match=r"^(Not a directory|File exists)$"):
        ask(Shelf.at(tmp_path / "file"))


def test_no_room_is_reported_as_such() -> None:
    full = OSError(errno.EDQUOT, "Disk quota exceeded", "/srv/data")

    with pytest.raises(StoreFullError, match=r"^Disk quota exceeded$"):
        Shelf(Broken(full), "/anywhere").replace("name", b"")


@pytest.mark.parametrize("ask", ASKED)
def test_an_alarm_that_strikes_while_the_shelf_is_asked_is_no_fault_of_it(
    ask: Callable[[Shelf], object],
) -> None:
    with pytest.raises(JobTimeoutException):
        ask(Shelf(Broken(JobTimeoutException("too long")), "/anywhere"))


def test_an_error_in_the_midst_of_a_file_is_reported_as_well(tmp_path: Path) -> None:
    # Reading one's own memory at address 0 is an I/O error.
    (tmp_path / "name").symlink_to("/proc/self/mem")

    with Shelf.at(tmp_path).open("name") as file, pytest.raises(StoreUnavailableError):
        file.read(1)


class Called(MemoryFileSystem):  # type: ignore[misc]
    """A service that has to be called, and that hangs up when it goes away."""

    protocol = "called"
    is_there = False

    def __init__(self, host: str, **told: object) -> None:
        super().__init__(**told)
        self._line_is_open = self._answers()

    @classmethod
    def _answers(cls) -> bool:
        if not cls.is_there:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        return True

    def pipe_file(self, *asked: object, **told: object) -> None:
        self._line_is_open = self._line_is_open and self.is_there
        if not self._line_is_open:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        super().pipe_file(*asked, **told)

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, str]:
        return {"host": path.partition("://")[2].partition("/")[0]}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> type[Called]:
    monkeypatch.setitem(import_module("fsspec.registry")._registry, "called", Called)
    monkeypatch.setattr(Called, "is_there", False)
    return Called


def test_a_service_that_is_away_is_called_again_until_it_is_there(service: type[Called]) -> None:
    shelf = Shelf.at("called://host/folder")
    for ask in ASKED:
        with pytest.raises(StoreUnavailableError, match=r"^Connection refused$"):
            ask(shelf)

    service.is_there = True

    shelf.replace("name", b"abc")
    assert shelf.read("name") == b"abc"


def test_a_service_that_hung_up_is_called_anew(service: type[Called]) -> None:
    service.is_there = True
    shelf = Shelf.at("called://host/folder")
    shelf.replace("name", b"abc")
    service.is_there = False
    with pytest.raises(StoreUnavailableError, match=r"^Broken pipe$"):
        shelf.replace("name", b"abc")

    service.is_there = True

    shelf.replace("name", b"abc")


@pytest.mark.parametrize(
    "url", ["nonsense://host", "simplecache::nonsense://host", "ftp:///folder", "ftp://h:secret/"]
)
def test_a_url_that_names_no_place_is_refused_before_anybody_is_called(url: str) -> None:
    with pytest.raises(UnknownStoreError, match="PALIMPSEST_STORE_URL: ") as told:
        Shelf.at(url)

    assert "secret" not in str(told.value)


class Bucket(MemoryFileSystem):  # type: ignore[misc]
    """What `s3fs` is, as far as it is told how long to wait."""

    protocol = ("s3", "s3a")
    retries = 5

    def __init__(self, config_kwargs: dict[str, object], **told: object) -> None:
        super().__init__(**told)
        self.config_kwargs = config_kwargs


def test_an_object_store_is_given_up_on_within_a_minute_unless_fsspec_is_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(import_module("fsspec.registry")._registry, "s3", Bucket)
    monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": {"connect_timeout": 1}})

    fs, _ = Opening.of("s3://bucket/folder")()

    assert fs.retries == 2
    assert fs.config_kwargs == {
        "connect_timeout": 1,
        "read_timeout": 10,
        "retries": {"total_max_attempts": 2, "mode": "standard"},
    }
