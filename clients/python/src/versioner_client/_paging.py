"""Iteration over the pages of lists."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Generic, Protocol

from versioner_client._errors import UnexpectedAnswer
from versioner_client._operation import Answer, Operation, T, T_co


class Page(Protocol[T_co]):
    """One page of a list."""

    @property
    def items(self) -> Sequence[T_co]:
        """The objects."""

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the next page; None on the last page."""


class Pages(Generic[T]):
    """A list: iterate over it for its objects, over `pages()` for its pages. Iterations start at the first page."""

    def __init__(self, send: Callable[[Operation[Page[T]]], Answer[Page[T]]], operation: Operation[Page[T]]) -> None:
        self._send = send
        self._operation = operation

    def pages(self) -> Iterator[Page[T]]:
        """The pages, fetched one by one."""
        operation: Operation[Page[T]] | None = self._operation
        seen: set[str] = set()
        while operation is not None:
            page = self._send(operation).data
            yield page
            operation = following(operation, page, seen)

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items


class AsyncPages(Generic[T]):
    """A list: iterate over it with `async for` for its objects, over `pages()` for its pages."""

    def __init__(
        self, send: Callable[[Operation[Page[T]]], Awaitable[Answer[Page[T]]]], operation: Operation[Page[T]]
    ) -> None:
        self._send = send
        self._operation = operation

    async def pages(self) -> AsyncIterator[Page[T]]:
        """The pages, fetched one by one."""
        operation: Operation[Page[T]] | None = self._operation
        seen: set[str] = set()
        while operation is not None:
            page = (await self._send(operation)).data
            yield page
            operation = following(operation, page, seen)

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item


def following(operation: Operation[Page[T]], page: Page[T], seen: set[str]) -> Operation[Page[T]] | None:
    """The request for the next page, if there is one."""
    if page.next_cursor is None:
        return None
    if page.next_cursor in seen:
        raise UnexpectedAnswer("the cursor of the next page was used before")
    seen.add(page.next_cursor)
    return dataclasses.replace(operation, query={**operation.query, "cursor": page.next_cursor})
