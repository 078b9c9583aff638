"""One call to the service: tried again when that is safe, its errors turned into exceptions."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple, Protocol

import httpx

from palimpsest.transport.retries import Retries
from palimpsest.transport.retry_state import Outcome, RetryState

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


class Listener(Protocol):
    """What takes in a feed, line by line: `palimpsest.transport.feed.Feed`."""

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
        trials = self._trials(call, retries)
        while True:
            outcome = self._try(call, receive, trials)
            if isinstance(outcome, httpx.Response) and outcome.is_success:
                return outcome
            self._sleep(trials.pause_after(outcome))

    def lines(self, listener: Listener) -> Iterator[str]:
        """The lines of a feed, asked for again where it breaks off; raises the exception that
        another answer stands for, and `UnreachableError` when it breaks off again and again
        without a line in between."""
        call = listener.call()
        if call is None:
            return
        trials, timeout_s = self._trials(call), self._timeout_s + call.extra_timeout_s
        while call is not None:
            request = self._http.build_request(**arguments(call, timeout_s=timeout_s))
            outcome: Outcome
            try:
                with closing(self._http.send(request, stream=True)) as outcome:
                    if outcome.is_success:
                        listener.opened(outcome)
                        for line in outcome.iter_lines():
                            trials.heard()
                            yield line
                    else:
                        outcome.read()
            except httpx.RequestError as error:
                outcome = error
            if (call := listener.call()) is not None:
                self._sleep(trials.pause_after(outcome))

    def _trials(self, call: Call, retries: Retries | None = None) -> RetryState:
        return RetryState(
            retries or self._retries,
            timeout_s=self._timeout_s,
            held_s=call.extra_timeout_s,
            jitter=self._jitter,
        )

    def _try(self, call: Call, receive: Receive, trials: RetryState) -> Outcome:
        request = self._http.build_request(**arguments(call, timeout_s=trials.timeout_s))
        try:
            response = self._http.send(request, stream=True)
            try:
                if response.is_success:
                    trials.answered()
                    receive(response)
                else:
                    response.read()
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
        "timeout": timeout_s,
    }
