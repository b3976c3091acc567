"""Requests and answers."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from conftest import PRODUCT, Clients, Reply, Script

from versioner_client import AsyncVersioner, UnexpectedAnswer, Versioner, models, operations


def test_sends_an_event_and_reads_the_answer(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(201, PRODUCT))
    body = models.ProductCreate(name="checkout", extra_metadata={"team": "shop"})
    product = clients.run(server.url, lambda c: c.create_product(body))
    assert product.name == "checkout"
    assert product.extra_metadata == {"team": "shop"}
    assert product.created_at == datetime(2026, 11, 23, 14, 56, 6, 535496, timezone.utc)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/products/")
    assert request.body == {"name": "checkout", "extra_metadata": {"team": "shop"}}
    assert request.headers["user-agent"].startswith("versioner-client-python/")


def test_sends_only_what_was_set(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(200, PRODUCT))
    change = models.ProductPatch(description=None)
    clients.run(server.url, lambda c: c.update_product(PRODUCT["id"], change, if_match='"3"'))
    (request,) = server.requests
    assert request.body == {"description": None}
    assert request.headers["if-match"] == '"3"'


def test_sends_times_with_their_zone_and_omits_none(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(200, {"items": [], "next_cursor": None}))
    since = datetime(2026, 11, 1, tzinfo=timezone.utc)
    until = datetime(2026, 11, 2, tzinfo=timezone(timedelta(hours=2)))
    clients.run(
        server.url,
        lambda c: c.list_deployments(since=since, until=until, product="a&b", status="failed", version=None),
    )
    query = httpx.URL(server.requests[0].path).params
    assert dict(query) == {
        "since": "2026-11-01T00:00:00Z",
        "until": "2026-11-02T00:00:00+02:00",
        "product": "a&b",
        "status": "failed",
    }


def test_refuses_times_without_a_zone(server: Script, clients: Clients) -> None:
    with pytest.raises(ValueError, match="time zone"):
        clients.run(server.url, lambda c: c.list_deployments(since=datetime(2026, 11, 1)))


@pytest.mark.parametrize("identifier", ["", ".", ".."])
def test_refuses_identifiers_that_change_the_address(identifier: str) -> None:
    with pytest.raises(ValueError, match="identifies nothing"):
        operations.delete_product(identifier)


def test_keeps_identifiers_in_their_segment() -> None:
    assert operations.get_product("a/../b?c").path == "/products/a%2F..%2Fb%3Fc"


def test_reads_answers_without_a_body(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(204))
    assert clients.run(server.url, lambda c: c.delete_product(uuid.UUID(str(PRODUCT["id"])))) is None
    assert server.requests[0].path == f"/products/{PRODUCT['id']}"


def test_send_returns_the_headers(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(200, PRODUCT, {"ETag": '"7"', "X-Request-ID": "r1"}))
    answer = clients.run(server.url, lambda c: c.send(operations.get_product(PRODUCT["id"])))
    assert (answer.data.name, answer.status, answer.etag, answer.request_id) == ("checkout", 200, '"7"', "r1")


def test_accepts_answers_of_a_newer_server(server: Script, clients: Clients) -> None:
    environment = {**PRODUCT, "type": "moon", "metadata": {}, "colour": "red"}
    server.reply_with(Reply(200, environment))
    assert clients.run(server.url, lambda c: c.get_environment(PRODUCT["id"])).type == "moon"


@pytest.mark.parametrize("body", [None, {"id": 1}, "text"])
def test_rejects_answers_that_are_not_of_the_api(server: Script, clients: Clients, body: Any) -> None:
    server.reply_with(Reply(200, body, {"X-Request-ID": "r1"}))
    with pytest.raises(UnexpectedAnswer) as caught:
        clients.run(server.url, lambda c: c.get_product(PRODUCT["id"]))
    assert (caught.value.status, caught.value.request_id) == (200, "r1")


def test_follows_no_redirect(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(302, None, {"Location": "/elsewhere"}))
    with pytest.raises(UnexpectedAnswer):
        clients.run(server.url, lambda c: c.get_product(PRODUCT["id"]), "sk_secret")
    assert len(server.requests) == 1


def test_keeps_the_path_of_the_address(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(200, {"status": "ok", "version": "1"}))
    for end in ("", "/", "//", "/versioner", "/versioner/", "/a%20b/c//"):
        clients.run(server.url + end, lambda c: c.get_health())
    paths = [r.path for r in server.requests]
    assert paths == ["/health", "/health", "/health", "/versioner/health", "/versioner/health", "/a%20b/c/health"]


def test_encodes_unicode(server: Script, clients: Clients) -> None:
    name = "Käse-日本語-🚀"
    server.reply_with(Reply(200, {"items": [{**PRODUCT, "name": name}], "next_cursor": None}))
    (product,) = clients.run(server.url, lambda c: c.list_products(q=name))
    assert product.name == name
    assert httpx.URL(server.requests[0].path).params["q"] == name
    server.reply_with(Reply(201, PRODUCT))
    clients.run(server.url, lambda c: c.create_product(models.ProductCreate(name=name)))
    assert server.requests[1].body == {"name": name}
    assert operations.get_product("ü").path == "/products/%C3%BC"


@pytest.mark.parametrize("client", [Versioner, AsyncVersioner])
@pytest.mark.parametrize(
    "address",
    [
        "",
        "example.com",
        "ftp://example.com",
        "http://",
        "http://example.com:port",
        "https://example.com/?a=b",
        "https://example.com/#here",
        "https://ada:secret@example.com",
        "https://secret@example.com",
    ],
)
def test_requires_a_valid_address(monkeypatch: pytest.MonkeyPatch, client: Any, address: str) -> None:
    monkeypatch.delenv("VERSIONER_API_URL", raising=False)
    with pytest.raises(ValueError, match="VERSIONER_API_URL") as caught:
        client(address)
    assert "secret@" not in str(caught.value)


def test_leaves_a_given_http_client_open() -> None:
    with httpx.Client() as http:
        Versioner("http://example.com", http=http).close()
        assert not http.is_closed


def test_closes_its_own_http_client() -> None:
    client = Versioner("http://example.com")
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.get_health()


def test_every_operation_is_a_method_of_both_clients() -> None:
    names = {n for n, f in vars(operations).items() if getattr(f, "__module__", "") == operations.__name__}
    assert "create_deployment_event" in names
    for client in (Versioner, AsyncVersioner):
        assert names <= set(dir(client))
