"""The calls of `palimpsest.calls`, awaited."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import httpx

from palimpsest.calls import Call, Outcome, arguments, pause_after
from palimpsest.retries import Retries

Receive = Callable[[httpx.Response], Awaitable[object]]


class AsyncCaller:
    """Sends calls, and sends them again after 429, 503 and a broken connection."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        timeout_s: float,
        retries: Retries,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._http = http
        self._timeout_s = timeout_s
        self._retries = retries
        self._sleep = sleep
        self._jitter = jitter

    async def answer(
        self,
        call: Call,
        *,
        retries: Retries | None = None,
        receive: Receive = httpx.Response.aread,
    ) -> httpx.Response:
        """The good answer to a call, received; raises the exception that another stands for."""
        failures = 0
        while True:
            outcome = await self._try(call, receive)
            if isinstance(outcome, httpx.Response) and outcome.is_success:
                return outcome
            failures += 1
            policy = retries or self._retries
            pause_s = pause_after(outcome, policy, failures=failures, jitter=self._jitter())
            await self._sleep(pause_s)

    async def _try(self, call: Call, receive: Receive) -> Outcome:
        request = self._http.build_request(**arguments(call, timeout_s=self._timeout_s))
        try:
            response = await self._http.send(request, stream=True)
            try:
                await (receive if response.is_success else httpx.Response.aread)(response)
            finally:
                await response.aclose()
        except httpx.RequestError as error:
            return error
        return response
