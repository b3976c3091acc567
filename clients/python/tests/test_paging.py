"""Lists, whatever their length."""

from __future__ import annotations

from itertools import islice

import httpx
import pytest
from conftest import PRODUCT, Clients, Reply, Script

from versioner_client import UnexpectedAnswer, Versioner


def page(*names: str, cursor: str | None) -> Reply:
    return Reply(200, {"items": [{**PRODUCT, "name": name} for name in names], "next_cursor": cursor})


def test_reads_all_pages(server: Script, clients: Clients) -> None:
    server.says(page("a", "b", cursor="c1"), Reply(503), page(cursor="c2"), page("c", cursor=None))
    products = clients.ask(server.url, lambda c: c.list_products(limit=2, q="x"))
    assert [p.name for p in products] == ["a", "b", "c"]
    queries = [dict(httpx.URL(r.path).params) for r in server.requests]
    first, second, third = ({"limit": "2", "q": "x", **more} for more in ({}, {"cursor": "c1"}, {"cursor": "c2"}))
    assert queries == [first, second, second, third]


def test_gives_the_pages_too(server: Script, clients: Clients) -> None:
    server.says(page("a", cursor="c1"), page("b", cursor=None))
    pages = clients.ask(server.url, lambda c: c.list_products(cursor="c0").pages())
    assert [(len(p.items), p.next_cursor) for p in pages] == [(1, "c1"), (1, None)]
    assert httpx.URL(server.requests[0].path).params["cursor"] == "c0"


def test_fetches_no_page_before_it_is_needed(server: Script) -> None:
    server.says(page("a", "b", cursor="c1"))
    with Versioner(server.url) as client:
        products = client.list_products()
        assert not server.requests
        assert [p.name for p in islice(products, 2)] == ["a", "b"]
        assert [p.name for p in islice(products, 1)] == ["a"], "each iteration begins anew"
    assert len(server.requests) == 2


def test_does_not_run_in_a_circle(server: Script, clients: Clients) -> None:
    server.says(page("a", cursor="c1"))
    with pytest.raises(UnexpectedAnswer, match="same page"):
        clients.ask(server.url, lambda c: c.list_products())
    assert len(server.requests) == 2
