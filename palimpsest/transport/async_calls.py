"""The calls of `palimpsest.transport.calls`, awaited."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import httpx

from palimpsest.transport.calls import Call, Listener, arguments
from palimpsest.transport.retries import Retries
from palimpsest.transport.retry_state import Outcome, RetryState

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
        trials = self._trials(call, retries)
        while True:
            outcome = await self._try(call, receive, trials)
            if isinstance(outcome, httpx.Response) and outcome.is_success:
                return outcome
            await self._sleep(trials.pause_after(outcome))

    async def lines(self, listener: Listener) -> AsyncGenerator[str, None]:
        """The lines of a feed, asked for again where it breaks off; see `Caller.lines`."""
        call = listener.call()
        if call is None:
            return
        trials, timeout_s = self._trials(call), self._timeout_s + call.extra_timeout_s
        while call is not None:
            request = self._http.build_request(**arguments(call, timeout_s=timeout_s))
            outcome: Outcome
            try:
                async with aclosing(await self._http.send(request, stream=True)) as outcome:
                    if outcome.is_success:
                        listener.opened(outcome)
                        async for line in outcome.aiter_lines():
                            trials.heard()
                            yield line
                    else:
                        await outcome.aread()
            except httpx.RequestError as error:
                outcome = error
            if (call := listener.call()) is not None:
                await self._sleep(trials.pause_after(outcome))

    def _trials(self, call: Call, retries: Retries | None = None) -> RetryState:
        return RetryState(
            retries or self._retries,
            timeout_s=self._timeout_s,
            held_s=call.extra_timeout_s,
            jitter=self._jitter,
        )

    async def _try(self, call: Call, receive: Receive, trials: RetryState) -> Outcome:
        request = self._http.build_request(**arguments(call, timeout_s=trials.timeout_s))
        try:
            response = await self._http.send(request, stream=True)
            try:
                if response.is_success:
                    trials.answered()
                    await receive(response)
                else:
                    await response.aread()
            finally:
                await response.aclose()
        except httpx.RequestError as error:
            return error
        return response
