"""The calls of `palimpsest.calls`, awaited."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import httpx

from palimpsest.calls import Call, Listener, Outcome, arguments, pause_after
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

    async def lines(self, listener: Listener) -> AsyncGenerator[str, None]:
        """The lines of a feed, asked for again where it breaks off; see `Caller.lines`."""
        failures, call = 0, listener.call()
        while call is not None:
            request = self._http.build_request(**arguments(call, timeout_s=self._timeout_s))
            outcome: Outcome
            try:
                async with aclosing(await self._http.send(request, stream=True)) as outcome:
                    if outcome.is_success:
                        listener.opened(outcome)
                        async for line in outcome.aiter_lines():
                            failures = 0
                            yield line
                    else:
                        await outcome.aread()
            except httpx.RequestError as error:
                outcome = error
            failures += 1
            if (call := listener.call()) is not None:
                await self._sleep(
                    pause_after(outcome, self._retries, failures=failures, jitter=self._jitter())
                )

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
