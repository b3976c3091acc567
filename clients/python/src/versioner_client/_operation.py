"""Operations: requests that have not been sent, and the types of their answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Operation(Generic[T_co]):
    """A request, which can be sent any number of times."""

    method: str
    path: str
    answer: type[T_co] | None
    """The type of the answer's body; None for an answer without a body."""
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    body: BaseModel | str | None = None
    """An object, or a text of the type in the headers."""
    public: bool = False
    """Whether the operation needs no credential."""

    def query_params(self) -> httpx.QueryParams:
        """The query parameters as sent; None is omitted."""
        items: list[tuple[str, str | int | float | bool | None]] = []
        for name, value in self.query.items():
            for one in value if isinstance(value, (list, tuple)) else [value]:
                if one is not None:
                    items.append((name, encode(one)))
        return httpx.QueryParams(items)

    def header_items(self) -> dict[str, str]:
        """The headers as sent."""
        return {name: encode(value) for name, value in self.headers.items() if value is not None}

    def json(self) -> Any:
        """The body as sent: only the members that were set, so that a change leaves the other members as they are."""
        if not isinstance(self.body, BaseModel):
            return None
        return self.body.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def content(self) -> bytes | None:
        """The body as sent, if it is a text."""
        return self.body.encode() if isinstance(self.body, str) else None


@dataclass(frozen=True)
class Answer(Generic[T_co]):
    """An answer of the server, with its headers."""

    data: T_co
    status: int
    headers: httpx.Headers

    @property
    def etag(self) -> str | None:
        """The revision of the object, for `if_match`."""
        return header(self.headers, "ETag")

    @property
    def request_id(self) -> str | None:
        """The ID of the request in the server's log."""
        return header(self.headers, "X-Request-ID")


def header(headers: httpx.Headers, name: str) -> str | None:
    """One header of an answer."""
    value: str | None = headers.get(name)
    return value


def encode(value: Any) -> str:
    """A value as text, for a URL or a header."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time needs a time zone, such as datetime.now(timezone.utc)")
        return re.sub(r"[+]00:00$", "Z", value.isoformat())
    return str(value)


def segment(value: Any) -> str:
    """A value as one segment of a path, escaped."""
    text = encode(value)
    if text in ("", ".", ".."):
        raise ValueError(f"{text!r} identifies nothing")
    return quote(text, safe="")
