"""When to retry a request, and after how long."""

from __future__ import annotations

import random
from dataclasses import dataclass

import httpx

# The server did not process the request, so that every request may be retried.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
NOT_SERVED = frozenset({429, 503})
# The server, or a proxy before it, failed. Only idempotent requests may be retried.
FAILED = frozenset({500, 502, 504})


@dataclass(frozen=True)
class Retries:
    """Limits of the retries of a request."""

    limit: int = 3
    """The maximum number of retries."""
    first_wait: float = 0.5
    """The backoff in seconds before the first retry; it doubles with each retry, and half of it is random."""
    longest_wait: float = 60.0
    """The longest backoff in seconds. An answer whose `Retry-After` is longer is not retried."""

    def wait(self, retry: int, requested: float | None) -> float | None:
        """The seconds before a retry, which counts from 0; None if there is no retry."""
        if retry >= self.limit:
            return None
        backoff = min(self.first_wait * 2.0**retry, self.longest_wait)
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - it spreads load, it is no secret
        if requested is None:
            return backoff * jitter
        if requested > self.longest_wait:
            return None
        return requested + self.first_wait * jitter


def is_idempotent(request: httpx.Request) -> bool:
    """Whether executing the request twice has the effect of executing it once.

    A change with If-Match is not idempotent: if its answer is lost, the second attempt fails on the revision that the
    first one made. A DELETE is: `Call.answer` takes the 404 of a second attempt for success.
    """
    if request.method in ("PATCH", "PUT"):
        return "If-Match" not in request.headers
    return request.method in ("GET", "DELETE") or "Idempotency-Key" in request.headers


def may_repeat(request: httpx.Request, outcome: httpx.Response | httpx.RequestError) -> bool:
    """Whether the outcome of the request permits a retry."""
    if may_be_done(outcome):
        return is_idempotent(request)
    return isinstance(outcome, NOT_SENT) or (isinstance(outcome, httpx.Response) and outcome.status_code in NOT_SERVED)


def may_be_done(outcome: httpx.Response | httpx.RequestError) -> bool:
    """Whether the server may have executed the request although it failed."""
    if isinstance(outcome, httpx.Response):
        return outcome.status_code in FAILED
    lost = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
    return isinstance(outcome, lost) and not isinstance(outcome, NOT_SENT)
