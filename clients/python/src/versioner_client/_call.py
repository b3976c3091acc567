"""The part of a call that both clients share: everything but sending and waiting."""

from __future__ import annotations

import os
import re
import uuid
from dataclasses import dataclass
from importlib.metadata import version
from typing import Generic, cast

import httpx
import pydantic

from versioner_client._errors import ConnectionFailed, TimedOut, UnexpectedAnswer, error_of, retry_after
from versioner_client._operation import Answer, Operation, T
from versioner_client._retry import Retries, may_be_done, may_repeat

USER_AGENT = f"versioner-client-python/{version('versioner-client')}"
CONNECT_TIMEOUT = 10.0


@dataclass(frozen=True)
class Settings:
    """The settings of a client."""

    base_url: str
    timeout: float
    retries: Retries


class Call(Generic[T]):
    """A call, from its first request to its answer. All its attempts have the same Idempotency-Key."""

    def __init__(
        self, settings: Settings, operation: Operation[T], timeout: float | None, idempotency_key: str | None
    ) -> None:
        self._settings = settings
        self._operation = operation
        self._timeout = settings.timeout if timeout is None else timeout
        self._retry = 0
        self._renewed = False
        self._may_be_done = False
        self._headers = {"Accept": "application/json", "User-Agent": USER_AGENT, **operation.header_items()}
        if idempotency_key is not None:
            self._headers["Idempotency-Key"] = idempotency_key
        elif operation.method == "POST":
            self._headers.setdefault("Idempotency-Key", str(uuid.uuid4()))

    @property
    def public(self) -> bool:
        """Whether the call needs no credential."""
        return self._operation.public

    def request(self, client: httpx.Client | httpx.AsyncClient, credential: str | None) -> httpx.Request:
        """The request of one attempt; the credential may differ between attempts."""
        headers = dict(self._headers)
        if credential := (credential or "").strip():
            # The error of httpx for an invalid header contains the value, and errors are logged.
            if not re.fullmatch("[!-~]+", credential):
                raise ValueError("the credential contains invalid characters")
            headers["Authorization"] = f"Bearer {credential}"
        return client.build_request(
            self._operation.method,
            self._settings.base_url + self._operation.path,
            params=self._operation.query_params(),
            headers=headers,
            json=self._operation.json(),
            content=self._operation.content(),
            timeout=httpx.Timeout(self._timeout, connect=min(self._timeout, CONNECT_TIMEOUT)),
        )

    def renews(self, outcome: httpx.Response | httpx.RequestError) -> bool:
        """Whether to request a new credential: after the first 401 of a call."""
        if self._renewed or not isinstance(outcome, httpx.Response) or outcome.status_code != 401:
            return False
        self._renewed = True
        return True

    def wait(self, request: httpx.Request, outcome: httpx.Response | httpx.RequestError) -> float | None:
        """The seconds to wait before a retry; None if the outcome is final."""
        self._may_be_done = self._may_be_done or may_be_done(outcome)
        if not may_repeat(request, outcome):
            return None
        requested = retry_after(outcome.headers) if isinstance(outcome, httpx.Response) else None
        wait = self._settings.retries.wait(self._retry, requested)
        self._retry += 1
        return wait

    def answer(self, outcome: httpx.Response | httpx.RequestError) -> Answer[T]:
        """The answer in the outcome; raise its error if it is no success."""
        if isinstance(outcome, httpx.TimeoutException):
            raise TimedOut(f"no answer from {self._settings.base_url} within {self._timeout:g} seconds") from outcome
        if isinstance(outcome, httpx.RequestError):
            raise ConnectionFailed(f"no answer from {self._settings.base_url}: {outcome}") from outcome
        if self._operation.method == "DELETE" and self._may_be_done and outcome.status_code == 404:
            # An earlier attempt, whose answer was lost, deleted the object.
            return Answer(data=cast("T", None), status=204, headers=outcome.headers)
        if not outcome.is_success:
            raise error_of(outcome)
        try:
            adapter: pydantic.TypeAdapter[T] = pydantic.TypeAdapter(cast("type[T]", self._operation.answer))
            data = adapter.validate_json(outcome.content or b"null")
        except pydantic.ValidationError as error:
            # The input is left out of the message: it may contain a new key.
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            found = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'body'}: {p['msg']}" for p in problems)
            raise UnexpectedAnswer(
                f"the answer does not match the operation: {found}",
                status=outcome.status_code,
                body=outcome.text,
                headers=outcome.headers,
            ) from None
        return Answer(data=data, status=outcome.status_code, headers=outcome.headers)


def settings(base_url: str | None, timeout: float, retries: Retries) -> Settings:
    """The settings of a client; the default of the server's address is that of the environment."""
    try:
        url = httpx.URL(base_url or os.environ.get("VERSIONER_API_URL", ""))
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise ValueError(
            "give the server's address, http(s)://…, as base_url or in VERSIONER_API_URL: "
            "without a password, a query or a fragment"
        )
    return Settings(str(url).rstrip("/"), timeout, retries)
