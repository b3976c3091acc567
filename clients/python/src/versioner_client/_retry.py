"""When to send a request again, and after how long."""

from __future__ import annotations

import random
from dataclasses import dataclass

import httpx

# The request was not looked at, so it may be sent again, whatever it is.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
NOT_SERVED = frozenset({429, 503})
# The server, or something before it, failed. Sending again is safe for requests that do the same when done twice.
FAILED = frozenset({500, 502, 504})


@dataclass(frozen=True)
class Retries:
    """How often and how patiently a request is sent again."""

    limit: int = 3
    """How many times more, at most."""
    first_wait: float = 0.5
    """Seconds before the first retry; each next one waits twice as long. Half of it is left to chance."""
    longest_wait: float = 60.0
    """No wait is longer. A server that asks for more is not waited for: its error is raised at once."""

    def wait(self, retry: int, asked: float | None) -> float | None:
        """Seconds before this retry, which counts from 0; None when it shall not be."""
        if retry >= self.limit:
            return None
        backoff = min(self.first_wait * 2.0**retry, self.longest_wait)
        chance = random.uniform(0.5, 1.0)  # noqa: S311 - it spreads load and guards nothing
        if asked is None:
            return backoff * chance
        if asked > self.longest_wait:
            return None
        return asked + self.first_wait * chance


def repeatable(request: httpx.Request) -> bool:
    """Whether doing the request twice is as good as once.

    A change with If-Match is not: were it done and the answer lost, it would meet its own revision the second time.
    A DELETE that finds nothing the second time is done (_call.py).
    """
    if request.method == "PATCH":
        return "If-Match" not in request.headers
    return request.method in ("GET", "PUT", "DELETE") or "Idempotency-Key" in request.headers


def may_repeat(request: httpx.Request, outcome: httpx.Response | httpx.RequestError) -> bool:
    """Whether what came of the request allows to send it again."""
    if may_be_done(outcome):
        return repeatable(request)
    return isinstance(outcome, NOT_SENT) or (isinstance(outcome, httpx.Response) and outcome.status_code in NOT_SERVED)


def may_be_done(outcome: httpx.Response | httpx.RequestError) -> bool:
    """Whether the request may have been carried out although it failed."""
    if isinstance(outcome, httpx.Response):
        return outcome.status_code in FAILED
    lost = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)
    return isinstance(outcome, lost) and not isinstance(outcome, NOT_SENT)
