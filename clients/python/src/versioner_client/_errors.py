"""The exceptions of the clients."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import httpx
import pydantic

from versioner_client._operation import header
from versioner_client.models import ValidationItem, ValidationProblem


class VersionerError(Exception):
    """A call failed: the server refused it, had an error, or could not be reached."""

    def __init__(
        self, detail: str, *, status: int | None = None, body: Any = None, headers: httpx.Headers | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        """The message, for humans."""
        self.status = status
        """The status of the answer; None when there was none."""
        self.body = body
        """The body of the answer: parsed if it is JSON, else text."""
        self.headers = headers if headers is not None else httpx.Headers()
        """The headers of the answer."""

    @property
    def request_id(self) -> str | None:
        """The ID of the request in the server's log."""
        return header(self.headers, "X-Request-ID")

    @property
    def retry_after(self) -> float | None:
        """The seconds to wait before a retry, if the server sent `Retry-After`."""
        return retry_after(self.headers)

    def __str__(self) -> str:
        parts = [f"{self.status}: " if self.status else "", self.detail]
        if self.request_id:
            parts.append(f" (request {self.request_id})")
        return "".join(parts)


class ConnectionFailed(VersionerError):
    """There was no answer: the server cannot be reached, or the connection broke."""


class TimedOut(ConnectionFailed):
    """There was no answer within the timeout."""


class UnexpectedAnswer(VersionerError):
    """The answer does not conform to the API; a proxy may have sent it."""


class NotModified(VersionerError):
    """304: the list has not changed since the answer whose `ETag` is `if_none_match`; keep what you have."""


class Unauthenticated(VersionerError):
    """401: the credential is missing, unknown, expired or revoked."""


class Forbidden(VersionerError):
    """403: the credential is valid, but does not permit the operation."""


class NotFound(VersionerError):
    """404: the account has no such object."""


class Conflict(VersionerError):
    """409: the request conflicts with the current state."""

    @property
    def reason(self) -> str | None:
        """The machine-readable reason, if any: `version_conflict` for a version that exists with another commit."""
        return text(member(self.body, "error"))


class Blocked(VersionerError):
    """409, 423 or 428: a policy forbids the deployment."""

    @property
    def code(self) -> str | None:
        """The code of the policy: `NO_DEPLOY_WINDOW`, `APPROVAL_REQUIRED` and others."""
        return text(self._field("code"))

    @property
    def allowed_from(self) -> str | None:
        """The time in RFC 3339 from which the policy may permit the deployment; None if it does not depend on time."""
        return text(self._field("retry_after"))

    @property
    def details(self) -> dict[str, Any]:
        """Further members of the policy's answer."""
        details = self._field("details")
        return details if isinstance(details, dict) else {}

    def _field(self, name: str) -> Any:
        """A member of `detail`, or of the body itself."""
        value = member(member(self.body, "detail"), name)
        return member(self.body, name) if value is None else value


class PreconditionFailed(VersionerError):
    """412: the object has changed since the revision that `if_match` names."""


class ValidationError(VersionerError):
    """422: the request is invalid; `problems` lists every problem."""

    def __init__(
        self, detail: str, *, status: int | None = None, body: Any = None, headers: httpx.Headers | None = None
    ) -> None:
        super().__init__(detail, status=status, body=body, headers=headers)
        self.problems: list[ValidationItem] = []
        """The problems: location (`loc`), message for humans (`msg`) and machine-readable type (`type`)."""
        try:
            self.problems = ValidationProblem.model_validate(body).detail
        except pydantic.ValidationError:
            return
        self.detail = "; ".join(f"{'.'.join(str(part) for part in p.loc)}: {p.msg}" for p in self.problems)


class RateLimited(VersionerError):
    """429: too many requests; retry after `retry_after` seconds."""


class Unavailable(VersionerError):
    """503: the server is restarting or overloaded; retry after `retry_after` seconds."""


BY_STATUS: dict[int, type[VersionerError]] = {
    304: NotModified,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    422: ValidationError,
    429: RateLimited,
    503: Unavailable,
}


def error_of(response: httpx.Response) -> VersionerError:
    """The exception for an answer that is no success."""
    try:
        body = response.json()
    except ValueError:
        body = response.text
    kind = BY_STATUS.get(response.status_code, VersionerError)
    if response.status_code in (409, 423, 428) and member(body, "error") == "deployment_blocked":
        kind = Blocked
    if response.status_code < 400 and response.status_code not in BY_STATUS:
        kind = UnexpectedAnswer
    detail = detail_of(body) or response.reason_phrase or "the server gave no reason"
    return kind(detail, status=response.status_code, body=body, headers=response.headers)


def detail_of(body: Any) -> str | None:
    """The message in an error's body, which is one level deeper if a policy refused the request."""
    detail = member(body, "detail")
    return text(detail) or text(member(detail, "message"))


def member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def retry_after(headers: httpx.Headers) -> float | None:
    """The seconds of a Retry-After header, which has seconds or a date."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
