"""One call to the service: tried again when that is safe, its errors turned into exceptions."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import httpx

from palimpsest.errors import UnreachableError
from palimpsest.problems import error_of
from palimpsest.retries import RETRIED_STATUSES, Retries, retry_after_s

Receive = Callable[[httpx.Response], object]
"""Takes the body of a good answer; called anew when the body breaks off."""


class Call(NamedTuple):
    """What is asked; each one may be sent twice without harm."""

    method: str
    path: str
    params: Mapping[str, str | int] = {}
    headers: Mapping[str, str] = {}
    content: str | None = None
    extra_timeout_s: float = 0.0
    """Time that the service is asked to hold its answer back."""


Outcome = httpx.Response | httpx.RequestError
FEED_RETRY_S = 1.0
"""Until a feed that ended before its time is asked for again, as the service wants it."""


class Listener(Protocol):
    """What takes in a feed, line by line: `palimpsest.feed.Feed`."""

    def call(self) -> Call | None:
        """What to ask for next, None when nothing is left to hear."""

    def opened(self, response: httpx.Response) -> None:
        """A good answer has begun; raises `UnexpectedAnswerError` when it is no feed."""


class Caller:
    """Sends calls, and sends them again after 429, 503 and a broken connection."""

    def __init__(
        self,
        http: httpx.Client,
        *,
        timeout_s: float,
        retries: Retries,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._http = http
        self._timeout_s = timeout_s
        self._retries = retries
        self._sleep = sleep
        self._jitter = jitter

    def answer(
        self,
        call: Call,
        *,
        retries: Retries | None = None,
        receive: Receive = httpx.Response.read,
    ) -> httpx.Response:
        """The good answer to a call, received; raises the exception that another stands for."""
        failures = 0
        while True:
            outcome = self._try(call, receive)
            if isinstance(outcome, httpx.Response) and outcome.is_success:
                return outcome
            failures += 1
            policy = retries or self._retries
            pause_s = pause_after(outcome, policy, failures=failures, jitter=self._jitter())
            self._sleep(pause_s)

    def lines(self, listener: Listener) -> Iterator[str]:
        """The lines of a feed, asked for again where it breaks off; raises the exception that
        another answer stands for, and `UnreachableError` when it breaks off again and again
        without a line in between."""
        failures, call = 0, listener.call()
        while call is not None:
            request = self._http.build_request(**arguments(call, timeout_s=self._timeout_s))
            outcome: Outcome
            try:
                with closing(self._http.send(request, stream=True)) as outcome:
                    if outcome.is_success:
                        listener.opened(outcome)
                        for line in outcome.iter_lines():
                            failures = 0
                            yield line
                    else:
                        outcome.read()
            except httpx.RequestError as error:
                outcome = error
            failures += 1
            if (call := listener.call()) is not None:
                self._sleep(
                    pause_after(outcome, self._retries, failures=failures, jitter=self._jitter())
                )

    def _try(self, call: Call, receive: Receive) -> Outcome:
        request = self._http.build_request(**arguments(call, timeout_s=self._timeout_s))
        try:
            response = self._http.send(request, stream=True)
            try:
                (receive if response.is_success else httpx.Response.read)(response)
            finally:
                response.close()
        except httpx.RequestError as error:
            return error
        return response


def arguments(call: Call, *, timeout_s: float) -> dict[str, Any]:
    """A call as httpx builds requests."""
    return {
        "method": call.method,
        "url": call.path,
        "params": dict(call.params),
        "headers": dict(call.headers),
        "content": call.content,
        "timeout": timeout_s + call.extra_timeout_s,
    }


def pause_after(outcome: Outcome, policy: Retries, *, failures: int, jitter: float) -> float:
    """Seconds until a call that had this outcome is sent again; raises the exception that the
    outcome stands for when it is not. A good answer is that of a feed that ended too early."""
    if isinstance(outcome, httpx.Response) and outcome.is_success:
        return FEED_RETRY_S
    asked_s = _asked_s(outcome)
    pause_s = policy.pause_s(failures, retry_after_s=asked_s, jitter=jitter)
    if pause_s is not None and _is_passing(outcome):
        return pause_s
    if isinstance(outcome, httpx.Response):
        raise error_of(outcome, retry_after_s=asked_s)
    url = outcome.request.url
    where = f"{url.scheme}://{url.netloc.decode()}"
    raise UnreachableError(where, reason=str(outcome) or type(outcome).__name__)


def _is_passing(outcome: Outcome) -> bool:
    """Whether the same call may get a better answer later."""
    if isinstance(outcome, httpx.Response):
        return outcome.status_code in RETRIED_STATUSES
    return not isinstance(outcome, httpx.UnsupportedProtocol | httpx.LocalProtocolError)


def _asked_s(outcome: Outcome) -> float | None:
    if isinstance(outcome, httpx.Response):
        return retry_after_s(outcome.headers.get("Retry-After"), now=datetime.now(UTC))
    return None
