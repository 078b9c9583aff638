"""A Redis, or what is none, asked without a client."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from redis import Redis

from contract.settings import NO_URL
from palimpsest.doctor.redis_info import RedisUnusableError, read_redis_info, tls


def test_a_redis_tells_of_itself(redis_url: str) -> None:
    told = read_redis_info(redis_url)

    assert told["aof_enabled"] == "1"
    assert told["appendfsync"] == "always"
    assert int(told["redis_version"].split(".")[0]) >= 6


def test_a_user_comes_in_by_a_password_of_any_characters(redis_url: str) -> None:
    redis = Redis.from_url(redis_url)
    redis.acl_setuser("search", enabled=True, passwords=["+two words@"], commands=["+info"])
    socket_url = redis_url.replace("unix://", "unix://search:two%20words%40@")

    told = read_redis_info(socket_url.partition("?")[0])

    assert "redis_version" in told
    assert "appendfsync" not in told  # CONFIG is not for that user


def test_a_user_and_a_password_may_stand_in_the_query(redis_url: str) -> None:
    redis = Redis.from_url(redis_url)
    redis.acl_setuser("reader", enabled=True, passwords=["+two words@"], commands=["+info"])
    queried = f"{redis_url.partition('?')[0]}?db=0&username=reader&password=two%20words%40"

    told = read_redis_info(queried)

    assert "redis_version" in told
    assert "appendfsync" not in told  # CONFIG is not for that user


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (("unix://", "unix://:wrong@"), "correct the user or the password in REDIS_URL"),
        (("db=0", "db=99"), "name a database in REDIS_URL that it has, such as 0"),
    ],
)
def test_what_a_redis_refuses_is_reported_with_what_to_do(
    redis_url: str, change: tuple[str, str], advice: str
) -> None:
    url = redis_url.replace(*change).replace(":wrong@", "nobody:wrong@")

    with pytest.raises(RedisUnusableError) as caught:
        read_redis_info(url)

    assert caught.value.advice == advice


@pytest.mark.parametrize("url", ["unix:///no/such/socket", "redis://127.0.0.1:1"])
def test_nobody_there_is_reported(url: str) -> None:
    with pytest.raises(RedisUnusableError) as caught:
        read_redis_info(url)

    assert caught.value.advice == "start Redis there, or correct REDIS_URL"


@pytest.mark.parametrize("url", ["http://redis", "localhost:6379", "redis://a:b", "redis://[::1"])
def test_what_is_no_url_of_a_redis_is_reported(url: str) -> None:
    with pytest.raises(RedisUnusableError) as caught:
        read_redis_info(url)

    assert caught.value.advice.startswith("write REDIS_URL as redis://HOST:6379/0")


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"+OK\r\n", b"$oops\r\n", b"\xff\xfe"]
)
def test_what_answers_but_is_no_redis_is_reported(answer: bytes) -> None:
    with answering(answer) as port, pytest.raises(RedisUnusableError):
        read_redis_info(f"redis://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("query", "believes", "asks_for_the_name"),
    [
        ("", ssl.CERT_REQUIRED, True),
        ("?ssl_cert_reqs=none", ssl.CERT_NONE, False),
        ("?ssl_check_hostname=false", ssl.CERT_REQUIRED, False),
    ],
)
def test_a_certificate_is_believed_as_the_url_says(
    query: str, believes: ssl.VerifyMode, asks_for_the_name: bool
) -> None:
    context = tls(urlsplit(f"rediss://127.0.0.1:6379/0{query}"))

    assert (context.verify_mode, context.check_hostname) == (believes, asks_for_the_name)


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A port that says one thing to the first who comes, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            came, _ = server.accept()
            with came:
                came.recv(1000)
                came.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("url", ["redis://:s3cr/et@127.0.0.1:6379/0", "redis://:s3cret@[::1/0"])
def test_a_password_that_breaks_its_url_is_not_repeated(url: str) -> None:
    with pytest.raises(RedisUnusableError, match=NO_URL):
        read_redis_info(url)
