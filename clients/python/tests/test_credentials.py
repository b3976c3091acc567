"""Who asks."""

from __future__ import annotations

import pytest
from conftest import PRODUCT, Clients, Reply, Script


def test_sends_a_credential(server: Script, clients: Clients) -> None:
    server.says(Reply(200, PRODUCT))
    clients.ask(server.url, lambda c: c.get_product("p"), "sk_demo_k1_secret\n")
    assert server.requests[0].headers["authorization"] == "Bearer sk_demo_k1_secret"


def test_asks_a_function_before_every_try(server: Script, clients: Clients) -> None:
    server.says(Reply(503), Reply(200, PRODUCT))
    tokens = iter(["old", "new"])
    clients.ask(server.url, lambda c: c.get_product("p"), lambda: next(tokens))
    assert [r.headers["authorization"] for r in server.requests] == ["Bearer old", "Bearer new"]


def test_awaits_a_coroutine_function(server: Script) -> None:
    async def token() -> str:
        return "awaited"

    server.says(Reply(200, PRODUCT))
    Clients("AsyncVersioner").ask(server.url, lambda c: c.get_product("p"), token)
    assert server.requests[0].headers["authorization"] == "Bearer awaited"


def test_takes_address_and_key_from_the_environment(
    server: Script, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERSIONER_API_URL", server.url)
    monkeypatch.setenv("VERSIONER_API_KEY", "sk_environment")
    server.says(Reply(200, PRODUCT))
    clients.ask(None, lambda c: c.get_product("p"))
    assert server.requests[0].headers["authorization"] == "Bearer sk_environment"


def test_sends_none_where_none_is_asked_for(server: Script, clients: Clients) -> None:
    server.says(Reply(200, {"status": "ok", "version": "1"}))
    clients.ask(server.url, lambda c: c.get_health(), "sk_secret")
    assert "authorization" not in server.requests[0].headers
