"""Client of Versioner, the deployment tracking API."""

from versioner_client import models, operations
from versioner_client._client import AsyncVersioner, Versioner
from versioner_client._errors import (
    Blocked,
    Conflict,
    ConnectionFailed,
    Forbidden,
    NotFound,
    NotModified,
    PreconditionFailed,
    RateLimited,
    TimedOut,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    ValidationError,
    VersionerError,
)
from versioner_client._operation import Answer, Operation
from versioner_client._paging import AsyncPages, Page, Pages
from versioner_client._retry import Retries

__all__ = [
    "Answer",
    "AsyncPages",
    "AsyncVersioner",
    "Blocked",
    "Conflict",
    "ConnectionFailed",
    "Forbidden",
    "NotFound",
    "NotModified",
    "Operation",
    "Page",
    "Pages",
    "PreconditionFailed",
    "RateLimited",
    "Retries",
    "TimedOut",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "ValidationError",
    "Versioner",
    "VersionerError",
    "models",
    "operations",
]
