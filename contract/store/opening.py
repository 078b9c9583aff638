"""Opening the file system at a URL: what is known before a call there, and how long that lasts."""

import inspect
from dataclasses import dataclass
from typing import Any, NamedTuple

from fsspec import AbstractFileSystem, config, get_filesystem_class
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import get_protocol

from contract.store.errors import UnknownStoreError

CONNECT_S, READ_S, ATTEMPTS = 5, 10, 2
_S3 = {
    "connect_timeout": CONNECT_S,
    "read_timeout": READ_S,
    "retries": {"total_max_attempts": ATTEMPTS, "mode": "standard"},
}


class Place(NamedTuple):
    """A file system, and where in it the store lies."""

    fs: AbstractFileSystem
    root: str


@dataclass(frozen=True, slots=True)
class Opening:
    """A URL of a kind that is known; it may be opened again and again."""

    url: str
    kind: type[AbstractFileSystem]

    @classmethod
    def of(cls, url: str) -> "Opening":
        """Calls nobody; raises `UnknownStoreError`."""
        try:
            kinds = [get_filesystem_class(get_protocol(link)) for link in _links(url)]
        except (ImportError, ValueError) as error:
            raise UnknownStoreError(str(error)) from error
        opening = cls(url, kinds[0])
        if len(kinds) == 1:
            opening._check_address()
        return opening

    @property
    def is_local(self) -> bool:
        return issubclass(self.kind, LocalFileSystem)

    def __call__(self) -> Place:
        """May call there, and raise whatever the file system does."""
        kept = {"skip_instance_cache": not self.kind.async_impl}  # a connection may be broken
        # Other processes write too: what was listed a while ago is no longer true.
        options = {"use_listings_cache": False} | kept | self._patience()
        fs, root = url_to_fs(self.url, **options)
        if self._is_of("s3"):
            fs.retries = ATTEMPTS  # on top of those of its library
        return Place(fs, root.rstrip("/"))

    def _check_address(self) -> None:
        try:
            address = self.kind._get_kwargs_from_urls(self.url)
        except ValueError:  # whose words may repeat a part of the password
            raise UnknownStoreError("is no URL that can be understood") from None
        try:
            inspect.signature(self.kind.__init__).bind(None, **address, **self._patience())
        except TypeError as error:
            raise UnknownStoreError(f"tells too little of the place: {error}") from error

    def _patience(self) -> dict[str, Any]:
        """What makes those of the kind give up in time on a service that does not answer."""
        if self._is_of("s3"):
            # What fsspec's own configuration says goes first.
            return {"config_kwargs": _S3 | dict(config.conf.get("s3", {}).get("config_kwargs", {}))}
        if self._is_of("ftp") or self._is_of("sftp"):
            return {"timeout": READ_S}
        return {}

    def _is_of(self, protocol: str) -> bool:
        named = self.kind.protocol
        return protocol in ((named,) if isinstance(named, str) else named)


def _links(url: str) -> list[str]:
    """The URLs of a chain such as `simplecache::s3://…`, the outermost first."""
    first, *others = url.split("::")
    return [url, *(link for link in others if "://" in link)] if others else [first]
