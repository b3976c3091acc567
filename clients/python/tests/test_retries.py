"""Retries."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate

import pytest
from conftest import FAST, PRODUCT, Clients, Reply, Script

from versioner_client import (
    AsyncVersioner,
    ConnectionFailed,
    NotFound,
    Operation,
    PreconditionFailed,
    Retries,
    Unavailable,
    VersionerError,
    models,
    operations,
)

DISCONNECT = Reply(0)
OK = Reply(200, PRODUCT)
CREATE = operations.create_product(models.ProductCreate(name="checkout"))
CHANGE = operations.update_product("p", models.ProductPatch(name="checkout"))
CHANGE_IF = operations.update_product("p", models.ProductPatch(name="checkout"), if_match='"1"')
REPLACE_IF = Operation(method="PUT", path="/p", answer=models.Product, headers={"If-Match": '"1"'})
READ = operations.get_product("p")


@pytest.mark.parametrize("operation", [READ, CREATE, CHANGE], ids=["get", "post", "patch"])
@pytest.mark.parametrize("failure", [Reply(429), Reply(500), Reply(502), Reply(503), Reply(504), DISCONNECT], ids=str)
def test_retries(server: Script, clients: Clients, operation: Operation[object], failure: Reply) -> None:
    server.reply_with(failure, failure, OK)
    clients.run(server.url, lambda c: c.send(operation))
    assert len(server.requests) == 3
    assert len({r.path for r in server.requests}) == 1
    assert [r.body for r in server.requests] == [server.requests[0].body] * 3


def test_retries_a_delete(server: Script, clients: Clients) -> None:
    server.reply_with(DISCONNECT, Reply(204))
    clients.run(server.url, lambda c: c.delete_product("p"))
    assert len(server.requests) == 2


@pytest.mark.parametrize("failure", [DISCONNECT, Reply(500), Reply(502), Reply(504)], ids=str)
def test_delete_succeeds_if_a_lost_attempt_has_deleted(server: Script, clients: Clients, failure: Reply) -> None:
    server.reply_with(failure, Reply(503), Reply(404, None, {"X-Request-ID": "r1"}))
    answer = clients.run(server.url, lambda c: c.send(operations.delete_product("p", if_match='"1"')))
    assert (answer.data, answer.status, answer.request_id) == (None, 204, "r1")
    assert len(server.requests) == 3


def test_not_found_is_raised_unless_an_attempt_may_have_deleted(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(503), Reply(404))
    with pytest.raises(NotFound):
        clients.run(server.url, lambda c: c.delete_product("p"))
    server.reply_with(DISCONNECT, Reply(404))
    with pytest.raises(NotFound):
        clients.run(server.url, lambda c: c.get_product("p"))
    server.reply_with(DISCONNECT, Reply(412))
    with pytest.raises(PreconditionFailed):
        clients.run(server.url, lambda c: c.delete_product("p"))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 501])
def test_does_not_retry_other_errors(server: Script, clients: Clients, status: int) -> None:
    server.reply_with(Reply(status))
    with pytest.raises(VersionerError):
        clients.run(server.url, lambda c: c.get_product("p"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("operation", [CHANGE_IF, REPLACE_IF], ids=["patch", "put"])
def test_does_not_retry_a_change_with_if_match_after_a_lost_answer(
    server: Script, clients: Clients, operation: Operation[object]
) -> None:
    server.reply_with(DISCONNECT, OK)
    with pytest.raises(ConnectionFailed):
        clients.run(server.url, lambda c: c.send(operation))
    assert len(server.requests) == 1


def test_retries_a_change_with_if_match_that_was_not_processed(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(503), OK)
    clients.run(server.url, lambda c: c.send(CHANGE_IF))
    assert len(server.requests) == 2


def test_stops_at_the_limit(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(503, {"detail": "Not now."}))
    with pytest.raises(Unavailable, match="Not now"):
        clients.run(server.url, lambda c: c.get_product("p"))
    assert len(server.requests) == 1 + FAST.limit


def test_makes_one_key_for_each_call(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(503), OK)
    clients.run(server.url, lambda c: c.send(CREATE))
    clients.run(server.url, lambda c: c.send(CREATE))
    first, again, second = [r.headers["idempotency-key"] for r in server.requests]
    assert first == again != second


def test_sends_an_explicit_key(server: Script, clients: Clients) -> None:
    server.reply_with(OK)
    clients.run(server.url, lambda c: c.send(CREATE, idempotency_key="run-7"))
    assert server.requests[0].headers["idempotency-key"] == "run-7"


def test_reads_need_no_key(server: Script, clients: Clients) -> None:
    server.reply_with(OK)
    clients.run(server.url, lambda c: c.send(READ))
    assert "idempotency-key" not in server.requests[0].headers


def test_honors_the_seconds_of_retry_after(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(429, None, {"Retry-After": "1"}), OK)
    start = time.monotonic()
    clients.run(server.url, lambda c: c.get_product("p"))
    assert time.monotonic() - start >= 1


def test_honors_the_date_of_retry_after(server: Script, clients: Clients) -> None:
    due = int(time.time()) + 2
    server.reply_with(Reply(503, None, {"Retry-After": formatdate(due, usegmt=True)}), OK)
    clients.run(server.url, lambda c: c.get_product("p"))
    assert time.time() >= due


def test_timeout_does_not_limit_waits(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(429, None, {"Retry-After": "1"}), OK)
    clients.run(server.url, lambda c: c.get_product("p"), timeout=0.5)
    assert len(server.requests) == 2


@pytest.mark.parametrize("silent", [True, False], ids=["during an attempt", "between attempts"])
def test_ends_when_the_caller_cancels(server: Script, silent: bool) -> None:
    server.reply_with(Reply(503, None, {"Retry-After": "50"}))
    server.silent = silent

    async def run() -> None:
        async with AsyncVersioner(server.url) as client:
            await asyncio.wait_for(client.get_product("p"), 0.3)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(run())
    assert len(server.requests) == 1


def test_does_not_wait_longer_than_the_limit(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(503, None, {"Retry-After": "3600"}))
    with pytest.raises(Unavailable) as caught:
        clients.run(server.url, lambda c: c.get_product("p"))
    assert caught.value.retry_after == 3600
    assert len(server.requests) == 1


def test_waits_twice_as_long_each_time() -> None:
    retries = Retries(limit=10, first_wait=1, longest_wait=5)
    for retry, longest in enumerate([1, 2, 4, 5, 5]):
        waits = {retries.wait(retry, None) for _ in range(50)}
        assert len(waits) > 1, "waits have jitter"
        assert all(wait is not None and longest / 2 <= wait <= longest for wait in waits)
    assert retries.wait(10, None) is None


def test_never_waits_less_than_requested() -> None:
    retries = Retries(longest_wait=10)
    assert all((retries.wait(0, 10) or 0) > 10 for _ in range(50))
    assert retries.wait(0, 11) is None
