"""API keys: random, shown once, and stored only as SHA-256.

A key has 256 random bits, so nothing is gained by a slow hash: there is no list to guess from.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contract.settings import Settings, variable_of

KEY_PREFIX = "pal_"
_ENTRY = re.compile(r"([A-Za-z0-9._-]{1,64}):([0-9a-f]{64})")


class KeysError(Exception):
    """A list of API keys cannot be used; what it holds is not repeated."""

    def __init__(self, source: str, reason: str) -> None:
        self.source = source
        self.reason = reason
        super().__init__(f"{source}: {reason}")


def new_key() -> str:
    """A key that nobody can guess."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def entry_of(name: str, key: str) -> str:
    """How a key stands in a list: `name:sha256`; raises `KeysError` on a name that cannot."""
    entry = f"{name}:{_digest(key)}"
    if not _ENTRY.fullmatch(entry):
        raise KeysError(repr(name), "a key's name is 1 to 64 letters, digits, '.', '_' or '-'")
    return entry


@dataclass(frozen=True, slots=True)
class Keys:
    """Who may come in, by the digest of their key."""

    owners: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, *, source: str) -> "Keys":
        """Entries apart by commas or line breaks; `#` begins a comment. Raises `KeysError`."""
        lines = (line.split("#", 1)[0] for line in text.splitlines())
        entries = [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]
        found = [_ENTRY.fullmatch(entry) for entry in entries]
        if not all(found):
            number = found.index(None) + 1
            reason = f"entry {number} is not name:sha256, as `palimpsest key` prints it"
            raise KeysError(source, reason)
        return cls({match[2]: match[1] for match in found if match})

    def owner_of(self, key: str) -> str | None:
        """The name of the key; a digest of random bits tells nothing by how long its look-up
        takes."""
        return self.owners.get(_digest(key))

    def __or__(self, other: "Keys") -> "Keys":
        return Keys({**self.owners, **other.owners})


class KeyRing:
    """The keys that are told and those of a file, which is read again whenever it changes."""

    def __init__(self, told: Keys, file: Path | None) -> None:
        """Raises `KeysError` when the file is missing, malformed or empty."""
        self._told = told
        self._file = file
        self._version: tuple[int, int, int] | None = None
        self._read = Keys()
        if file is not None and not self._of_file().owners:
            raise KeysError(str(file), "contains no key: nobody could use the service")

    @classmethod
    def of(cls, settings: Settings) -> "KeyRing":
        """The keys that the settings tell; raises as the constructor does."""
        told = Keys.parse(settings.api_keys, source=variable_of("api_keys"))
        return cls(told, settings.api_keys_file)

    @property
    def is_empty(self) -> bool:
        """Whether the service asks for no key; fixed when it starts."""
        return self._file is None and not self._told.owners

    def owner_of(self, key: str) -> str | None:
        """The name of the key; raises `KeysError` while a file that may hold it cannot be read."""
        try:
            return (self._told | self._of_file()).owner_of(key)
        except KeysError:
            if owner := self._told.owner_of(key):
                return owner
            raise

    def check(self) -> None:
        """Raises `KeysError` while the file cannot be read."""
        self._of_file()

    def _of_file(self) -> Keys:
        file = self._file
        if file is None:
            return Keys()
        try:
            stat = file.stat()
            version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if version != self._version:
                self._read = Keys.parse(file.read_text(encoding="utf-8"), source=str(file))
                self._version = version
        except (OSError, UnicodeDecodeError) as error:
            raise KeysError(str(file), f"cannot be read ({type(error).__name__})") from error
        return self._read


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", errors="surrogateescape")).hexdigest()
