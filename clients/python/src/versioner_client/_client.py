"""The synchronous and the asynchronous client."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from types import TracebackType

import httpx
from typing_extensions import Self

from versioner_client import _call
from versioner_client._methods import AsyncMethods, Methods
from versioner_client._operation import Answer, Operation, T
from versioner_client._retry import Retries

DEFAULT_TIMEOUT = 30.0
DEFAULT_RETRIES = Retries()


class Versioner(Methods):
    """The synchronous client. Threads may share it; close it, or use it in a `with` block.

    - `base_url`: the server's address; the default is the environment variable `VERSIONER_API_URL`.
    - `credential`: an API key (for events), a session token (for everything else), or a function that returns one. The
      function is called before every attempt, and once more after a 401. The default is the environment variable
      `VERSIONER_API_KEY`.
    - `timeout`: seconds to wait for the server at each step of each attempt.
    - `retries`: how often requests are retried, where that is safe.
    - `http`: an `httpx.Client` to send with, for proxies, certificates or tests; the caller closes it.
    """

    def __init__(
        self,
        base_url: str | None = None,
        credential: str | Callable[[], str] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: Retries = DEFAULT_RETRIES,
        http: httpx.Client | None = None,
    ) -> None:
        self._settings = _call.settings(base_url, timeout, retries)
        self._credential = os.environ.get("VERSIONER_API_KEY") if credential is None else credential
        self._http = httpx.Client() if http is None else http
        self._close = self._http.close if http is None else None

    def send(
        self, operation: Operation[T], *, timeout: float | None = None, idempotency_key: str | None = None
    ) -> Answer[T]:
        """Send an operation of `versioner_client.operations`, and return its answer with the headers.

        An explicit `idempotency_key` makes calls of several processes the same call.
        """
        call = _call.Call(self._settings, operation, timeout, idempotency_key)
        credential = None if call.public else self._bearer()
        while True:
            request = call.request(self._http, credential)
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = self._http.send(request)
            except httpx.RequestError as error:
                outcome = error
            if call.renews(outcome) and callable(self._credential):
                refused, credential = credential, self._bearer()
                if credential and credential != refused:
                    continue
            wait = call.wait(request, outcome)
            if wait is None:
                return call.answer(outcome)
            time.sleep(wait)
            credential = None if call.public else self._bearer()

    def _bearer(self) -> str | None:
        return self._credential() if callable(self._credential) else self._credential

    def close(self) -> None:
        """Close the connections."""
        if self._close is not None:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncVersioner(AsyncMethods):
    """The asynchronous client, with the arguments of `Versioner`. The credential may also be a coroutine function.

    Close it, or use it in an `async with` block.
    """

    def __init__(
        self,
        base_url: str | None = None,
        credential: str | Callable[[], str | Awaitable[str]] | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: Retries = DEFAULT_RETRIES,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._settings = _call.settings(base_url, timeout, retries)
        self._credential = os.environ.get("VERSIONER_API_KEY") if credential is None else credential
        self._http = httpx.AsyncClient() if http is None else http
        self._close = self._http.aclose if http is None else None

    async def send(
        self, operation: Operation[T], *, timeout: float | None = None, idempotency_key: str | None = None
    ) -> Answer[T]:
        """Send an operation of `versioner_client.operations`, and return its answer with the headers.

        An explicit `idempotency_key` makes calls of several processes the same call.
        """
        call = _call.Call(self._settings, operation, timeout, idempotency_key)
        credential = None if call.public else await self._bearer()
        while True:
            request = call.request(self._http, credential)
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = await self._http.send(request)
            except httpx.RequestError as error:
                outcome = error
            if call.renews(outcome) and callable(self._credential):
                refused, credential = credential, await self._bearer()
                if credential and credential != refused:
                    continue
            wait = call.wait(request, outcome)
            if wait is None:
                return call.answer(outcome)
            await asyncio.sleep(wait)
            credential = None if call.public else await self._bearer()

    async def _bearer(self) -> str | None:
        if not callable(self._credential):
            return self._credential
        credential = self._credential()
        return await credential if inspect.isawaitable(credential) else credential

    async def close(self) -> None:
        """Close the connections."""
        if self._close is not None:
            await self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
