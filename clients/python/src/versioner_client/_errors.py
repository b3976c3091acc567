"""What goes wrong, as exceptions."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import httpx
import pydantic

from versioner_client._operation import header
from versioner_client.models import ValidationItem, ValidationProblem


class VersionerError(Exception):
    """The server refused, failed, or could not be reached."""

    def __init__(
        self, detail: str, *, status: int | None = None, body: Any = None, headers: httpx.Headers | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        """A sentence for people."""
        self.status = status
        """The status of the answer; None when there was none."""
        self.body = body
        """The answer as it came: JSON where it is JSON, else text."""
        self.headers = headers if headers is not None else httpx.Headers()
        """The headers of the answer."""

    @property
    def request_id(self) -> str | None:
        """What to quote when asking for help."""
        return header(self.headers, "X-Request-ID")

    @property
    def retry_after(self) -> float | None:
        """After how many seconds the server asks to try again, where it says so."""
        return retry_after(self.headers)

    def __str__(self) -> str:
        parts = [f"{self.status}: " if self.status else "", self.detail]
        if self.request_id:
            parts.append(f" (request {self.request_id})")
        return "".join(parts)


class ConnectionFailed(VersionerError):
    """No answer came: the server cannot be reached, or the connection broke."""


class TimedOut(ConnectionFailed):
    """No answer came in time."""


class UnexpectedAnswer(VersionerError):
    """The answer is not one that this API gives; something between here and the server may have made it."""


class Unauthenticated(VersionerError):
    """401: the credential is missing, unknown, expired or revoked."""


class Forbidden(VersionerError):
    """403: the credential is valid, but not for this."""


class NotFound(VersionerError):
    """404: there is no such object in this account."""


class Conflict(VersionerError):
    """409: it contradicts what is there."""

    @property
    def reason(self) -> str | None:
        """A word for programs, where there is one: `version_conflict` for a version that exists with another commit."""
        return text(member(self.body, "error"))


class Blocked(VersionerError):
    """409, 423 or 428 for a deployment that a policy forbids."""

    @property
    def code(self) -> str | None:
        """Which policy, for programs: `NO_DEPLOY_WINDOW`, `APPROVAL_REQUIRED` and others."""
        return text(self._told("code"))

    @property
    def allowed_from(self) -> str | None:
        """When it may be allowed, in RFC 3339; None when time alone changes nothing."""
        return text(self._told("retry_after"))

    @property
    def details(self) -> dict[str, Any]:
        """What else the policy tells."""
        details = self._told("details")
        return details if isinstance(details, dict) else {}

    def _told(self, name: str) -> Any:
        """What is told at both levels of the body."""
        told = member(member(self.body, "detail"), name)
        return member(self.body, name) if told is None else told


class PreconditionFailed(VersionerError):
    """412: the object has changed since the revision that `if_match` names."""


class ValidationError(VersionerError):
    """422: the request has problems, all of which are listed."""

    def __init__(
        self, detail: str, *, status: int | None = None, body: Any = None, headers: httpx.Headers | None = None
    ) -> None:
        super().__init__(detail, status=status, body=body, headers=headers)
        self.problems: list[ValidationItem] = []
        """Where each problem is (`loc`), what it is for people (`msg`) and for programs (`type`)."""
        try:
            self.problems = ValidationProblem.model_validate(body).detail
        except pydantic.ValidationError:
            return
        self.detail = "; ".join(f"{'.'.join(str(part) for part in p.loc)}: {p.msg}" for p in self.problems)


class RateLimited(VersionerError):
    """429: too many requests; `retry_after` says when there may be more."""


class Unavailable(VersionerError):
    """503: the server is restarting or overloaded; `retry_after` says when to come back."""


BY_STATUS: dict[int, type[VersionerError]] = {
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
    """The error that an answer tells."""
    try:
        body = response.json()
    except ValueError:
        body = response.text
    kind = BY_STATUS.get(response.status_code, VersionerError)
    if response.status_code in (409, 423, 428) and member(body, "error") == "deployment_blocked":
        kind = Blocked
    if response.status_code < 400:
        kind = UnexpectedAnswer
    detail = detail_of(body) or response.reason_phrase or "the server gave no reason"
    return kind(detail, status=response.status_code, body=body, headers=response.headers)


def detail_of(body: Any) -> str | None:
    """The sentence in an error's body, which may lie one level deeper when a policy refused."""
    detail = member(body, "detail")
    return text(detail) or text(member(detail, "message"))


def member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def retry_after(headers: httpx.Headers) -> float | None:
    """The seconds of a Retry-After header, which may also name a date."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
