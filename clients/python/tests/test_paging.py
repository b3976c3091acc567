"""Iteration over lists."""

from __future__ import annotations

import asyncio
from itertools import islice

import httpx
import pytest
from conftest import PRODUCT, Clients, Reply, Request, Script

from versioner_client import AsyncPages, AsyncVersioner, UnexpectedAnswer, Versioner, models


def page(*names: str, cursor: str | None) -> Reply:
    return Reply(200, {"items": [{**PRODUCT, "name": name} for name in names], "next_cursor": cursor})


def test_reads_all_pages(server: Script, clients: Clients) -> None:
    server.reply_with(page("a", "b", cursor="c1"), Reply(503), page(cursor="c2"), page("c", cursor=None))
    products = clients.run(server.url, lambda c: c.list_products(limit=2, q="x"))
    assert [p.name for p in products] == ["a", "b", "c"]
    queries = [dict(httpx.URL(r.path).params) for r in server.requests]
    first, second, third = ({"limit": "2", "q": "x", **more} for more in ({}, {"cursor": "c1"}, {"cursor": "c2"}))
    assert queries == [first, second, second, third]


def test_iterates_over_pages(server: Script, clients: Clients) -> None:
    server.reply_with(page("a", cursor="c1"), page("b", cursor=None))
    pages = clients.run(server.url, lambda c: c.list_products(cursor="c0").pages())
    assert [(len(p.items), p.next_cursor) for p in pages] == [(1, "c1"), (1, None)]
    assert httpx.URL(server.requests[0].path).params["cursor"] == "c0"


def test_fetches_no_page_before_it_is_needed(server: Script) -> None:
    server.reply_with(page("a", "b", cursor="c1"))
    with Versioner(server.url) as client:
        products = client.list_products()
        assert not server.requests
        assert [p.name for p in islice(products, 2)] == ["a", "b"]
        assert [p.name for p in islice(products, 1)] == ["a"], "each iteration starts at the first page"
    assert len(server.requests) == 2


def test_rejects_a_repeated_cursor(server: Script, clients: Clients) -> None:
    server.reply_with(page("a", cursor="c1"))
    with pytest.raises(UnexpectedAnswer, match="was used before"):
        clients.run(server.url, lambda c: c.list_products())
    assert len(server.requests) == 2

    server.reply_with(page("a", cursor="c1"), page("b", cursor="c2"), page("c", cursor="c3"), page("d", cursor="c1"))
    with pytest.raises(UnexpectedAnswer, match="was used before"):
        clients.run(server.url, lambda c: c.list_products())
    assert len(server.requests) == 6


def test_a_list_may_be_empty(server: Script, clients: Clients) -> None:
    server.reply_with(page(cursor=None))
    assert clients.run(server.url, lambda c: c.list_products()) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [{}, [], {"items": None, "next_cursor": None}, "text"])
def test_rejects_an_answer_that_is_no_page(server: Script, clients: Clients, body: object) -> None:
    server.reply_with(Reply(200, body))
    with pytest.raises(UnexpectedAnswer):
        clients.run(server.url, lambda c: c.list_products())


def two_pages(request: Request) -> Reply:
    return page("c", cursor=None) if "cursor=c1" in request.path else page("a", "b", cursor="c1")


def test_concurrent_iterations_are_independent(server: Script) -> None:
    server.reply_by(two_pages)
    with Versioner(server.url) as client:
        products = client.list_products()
        assert [(one.name, other.name) for one, other in zip(products, products, strict=True)] == [
            ("a", "a"),
            ("b", "b"),
            ("c", "c"),
        ]
    assert len(server.requests) == 4


def test_concurrent_asynchronous_iterations_are_independent(server: Script) -> None:
    server.reply_by(two_pages)

    async def names(products: AsyncPages[models.Product]) -> list[str]:
        return [product.name async for product in products]

    async def run() -> list[list[str]]:
        async with AsyncVersioner(server.url) as client:
            products = client.list_products()
            return await asyncio.gather(*(names(products) for _ in range(3)))

    assert asyncio.run(run()) == [["a", "b", "c"]] * 3
    assert len(server.requests) == 6
