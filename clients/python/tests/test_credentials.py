"""Credentials."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import pytest
from conftest import PRODUCT, Clients, Reply, Script

from versioner_client import Unauthenticated, models


def test_sends_a_credential(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(200, PRODUCT))
    clients.run(server.url, lambda c: c.get_product("p"), "sk_demo_k1_secret\n")
    assert server.requests[0].headers["authorization"] == "Bearer sk_demo_k1_secret"


def test_calls_a_function_before_every_attempt(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(503), Reply(200, PRODUCT))
    tokens = iter(["old", "new"])
    clients.run(server.url, lambda c: c.get_product("p"), lambda: next(tokens))
    assert [r.headers["authorization"] for r in server.requests] == ["Bearer old", "Bearer new"]


def test_awaits_a_coroutine_function(server: Script) -> None:
    async def token() -> str:
        return "awaited"

    server.reply_with(Reply(200, PRODUCT))
    Clients("AsyncVersioner").run(server.url, lambda c: c.get_product("p"), token)
    assert server.requests[0].headers["authorization"] == "Bearer awaited"


def test_takes_address_and_key_from_the_environment(
    server: Script, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERSIONER_API_URL", server.url)
    monkeypatch.setenv("VERSIONER_API_KEY", "sk_environment")
    server.reply_with(Reply(200, PRODUCT))
    clients.run(None, lambda c: c.get_product("p"))
    assert server.requests[0].headers["authorization"] == "Bearer sk_environment"


def test_public_operations_send_no_credential(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(200, {"status": "ok", "version": "1"}))
    clients.run(server.url, lambda c: c.get_health(), "sk_secret")
    assert "authorization" not in server.requests[0].headers


def test_calls_the_function_again_after_the_first_401(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(401), Reply(201, PRODUCT))
    tokens = iter(["expired", "fresh"])
    clients.run(server.url, lambda c: c.create_product(models.ProductCreate(name="a")), lambda: next(tokens))
    assert [r.headers["authorization"] for r in server.requests] == ["Bearer expired", "Bearer fresh"]
    assert len({r.headers["idempotency-key"] for r in server.requests}) == 1

    server.reply_with(Reply(401))
    tokens = iter(["expired", "revoked", "unused"])
    with pytest.raises(Unauthenticated):
        clients.run(server.url, lambda c: c.get_product("p"), lambda: next(tokens))
    assert len(server.requests) == 4
    assert next(tokens) == "unused"


@pytest.mark.parametrize("tokens", [["same", "same"], ["last", ""]])
def test_does_not_send_a_refused_credential_again(server: Script, clients: Clients, tokens: list[str]) -> None:
    server.reply_with(Reply(401))
    left = iter(tokens)
    with pytest.raises(Unauthenticated):
        clients.run(server.url, lambda c: c.get_product("p"), lambda: next(left))
    assert len(server.requests) == 1


class SignedOut(Exception):
    """There is no token."""


@pytest.mark.parametrize("status", [0, 401, 503])
def test_raises_the_exception_of_the_function(server: Script, clients: Clients, status: int) -> None:
    server.reply_with(Reply(status))

    def tokens() -> Iterator[str]:
        if status:
            yield "token"
        raise SignedOut

    left = tokens()
    with pytest.raises(SignedOut):
        clients.run(server.url, lambda c: c.get_product("p"), lambda: next(left))
    assert len(server.requests) == (1 if status else 0)


@pytest.mark.parametrize("credential", ["sk_secret\nkey", "sk_secret key", "sk_secret_ü", "sk_secret\0"])
def test_rejects_an_invalid_credential_without_showing_it(server: Script, clients: Clients, credential: str) -> None:
    with pytest.raises(ValueError, match="invalid characters") as caught:
        clients.run(server.url, lambda c: c.get_product("p"), credential)
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert not server.requests
