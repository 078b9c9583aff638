"""A Redis, asked in its own protocol: this must work where no client of it is installed."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRWPair
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from contract.settings import NO_URL

TIMEOUT_S = 3.0
SCHEMES = "redis://HOST:6379/0, rediss:// with TLS, or unix:///PATH"
_ADVICE = {
    "NOAUTH": "put its password into REDIS_URL: redis://:PASSWORD@HOST:6379/0",
    "WRONGPASS": "correct the user or the password in REDIS_URL",
    "NOPERM": "let that user run INFO, or name another in REDIS_URL",
    "ERR DB index": "name a database in REDIS_URL that it has, such as 0",
    "ERR AUTH": "take the password out of REDIS_URL: it asks for none",
}


class RedisUnusableError(Exception):
    """Nothing usable answers at the URL; `advice` is what to do about it."""

    def __init__(self, reason: str, *, advice: str = "start Redis there, or correct REDIS_URL"):
        self.advice = advice
        super().__init__(reason)


class _RefusedError(Exception):
    """Redis answered a command with an error."""


def read_redis_info(url: str) -> dict[str, str]:
    """What Redis tells by INFO, and its `appendfsync` if it tells that, too; raises
    `RedisUnusableError`."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # whose words may repeat a part of the password
        raise RedisUnusableError(NO_URL, advice=f"write REDIS_URL as {SCHEMES}") from None
    try:
        with _connected(parts) as stream:
            return _asked(stream, parts)
    except _RefusedError as refusal:
        told = str(refusal)
        found = [advice for begin, advice in _ADVICE.items() if told.startswith(begin)]
        raise RedisUnusableError(told, advice=found[0] if found else "see its log") from refusal
    except TimeoutError as error:
        raise RedisUnusableError(
            f"no answer within {TIMEOUT_S:g} s",
            advice="check that this is Redis, and that it does not hang",
        ) from error
    except OSError as error:
        raise RedisUnusableError(error.strerror or str(error)) from error
    except ValueError as error:
        raise RedisUnusableError(str(error), advice=f"write REDIS_URL as {SCHEMES}") from error


def _asked(stream: BufferedRWPair, parts: SplitResult) -> dict[str, str]:
    if password := _login(parts, "password"):
        user = _login(parts, "username")
        _ask(stream, "AUTH", *([user] if user else []), password)
    if (database := _database(parts)) not in ("", "0"):
        _ask(stream, "SELECT", database)
    lines = _ask(stream, "INFO").splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    told = {name: value.strip() for name, _, value in pairs}
    if "redis_version" not in told:
        raise RedisUnusableError("what answers there is not Redis", advice="correct REDIS_URL")
    with suppress(_RefusedError):  # hosted ones keep their configuration to themselves
        told["appendfsync"] = _ask(stream, "CONFIG", "GET", "appendfsync")
    return told


def _login(parts: SplitResult, name: str) -> str:
    """`username` or `password`, as Redis' own clients read it: before the host, or in the query."""
    before_host: str | None = getattr(parts, name)
    return unquote(before_host) if before_host else parse_qs(parts.query).get(name, [""])[0]


def _database(parts: SplitResult) -> str:
    """The number of the database, as Redis' own clients read it; empty where none is named."""
    named = parse_qs(parts.query).get("db", [""])[0]
    return named if parts.scheme == "unix" or named else unquote(parts.path).strip("/")


@contextmanager
def _connected(parts: SplitResult) -> Iterator[BufferedRWPair]:
    if parts.scheme == "unix":
        with socket.socket(socket.AF_UNIX) as local:
            local.settimeout(TIMEOUT_S)
            local.connect(unquote(parts.path))
            yield local.makefile("rwb")
    elif parts.scheme in ("redis", "rediss"):
        host = parts.hostname or "127.0.0.1"
        with socket.create_connection((host, parts.port or 6379), TIMEOUT_S) as remote:
            if parts.scheme == "rediss":
                remote = tls(parts).wrap_socket(remote, server_hostname=host)
            yield remote.makefile("rwb")
    else:
        raise ValueError(f"{parts.scheme or 'nothing'!r} is not a URL scheme of Redis")


def tls(parts: SplitResult) -> ssl.SSLContext:
    """Whom to believe, as the URL tells Redis' own clients."""
    asked = parse_qs(parts.query)
    context = ssl.create_default_context(cafile=asked.get("ssl_ca_certs", [None])[0])
    if asked.get("ssl_cert_reqs") == ["none"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif asked.get("ssl_check_hostname", ["True"])[0].upper() in ("0", "F", "FALSE", "N", "NO"):
        context.check_hostname = False
    return context


def _ask(stream: BufferedRWPair, *words: str) -> str:
    """The answer to a command: a line, a text, or the last of several texts."""
    sent = f"*{len(words)}\r\n" + "".join(f"${len(w.encode())}\r\n{w}\r\n" for w in words)
    stream.write(sent.encode())
    stream.flush()
    return _answer(stream)


def _answer(stream: BufferedRWPair) -> str:
    head = stream.readline().decode(errors="replace").rstrip()
    match head[:1], head[1:]:
        case "-", error:
            raise _RefusedError(error)
        case "$", length if int(length) >= 0:
            return stream.read(int(length) + 2).decode(errors="replace").rstrip("\r\n")
        case "*", count:
            return [_answer(stream) for _ in range(int(count))][-1] if int(count) > 0 else ""
        case "+", line:
            return line
    raise RedisUnusableError("what answers there is not Redis", advice="correct REDIS_URL")
