"""Exceptions."""

from __future__ import annotations

import socket
import traceback
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from conftest import Clients, Reply, Script

import versioner_client
from versioner_client import (
    Blocked,
    Conflict,
    NotModified,
    Retries,
    UnexpectedAnswer,
    ValidationError,
    VersionerError,
    models,
)
from versioner_client._errors import retry_after

NEVER = Retries(limit=0)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "VersionerError"),
        (401, "Unauthenticated"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (409, "Conflict"),
        (412, "PreconditionFailed"),
        (429, "RateLimited"),
        (500, "VersionerError"),
        (503, "Unavailable"),
    ],
)
def test_names_errors_by_status(server: Script, clients: Clients, status: int, kind: str) -> None:
    server.reply_with(Reply(status, {"detail": "No."}, {"X-Request-ID": "r1", "Retry-After": "7"}))
    with pytest.raises(VersionerError) as caught:
        clients.run(server.url, lambda c: c.get_product("p"), retries=NEVER)
    error = caught.value
    assert type(error) is getattr(versioner_client, kind)
    assert (error.status, error.detail, error.request_id, error.retry_after) == (status, "No.", "r1", 7)
    assert str(error) == f"{status}: No. (request r1)"


def test_a_list_is_not_modified(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(304, headers={"ETag": '"x"'}))
    with pytest.raises(NotModified) as caught:
        clients.run(server.url, lambda c: c.get_release_progress("r", if_none_match='"x"'))
    assert (caught.value.status, caught.value.headers["ETag"]) == (304, '"x"')
    assert [request.headers["if-none-match"] for request in server.requests] == ['"x"']


def test_lists_the_problems_of_a_request(server: Script, clients: Clients) -> None:
    problems = [
        {"loc": ["body", "name"], "msg": "field required", "type": "value_error.missing"},
        {"loc": ["body", "list", 3], "msg": "too much", "type": "value_error"},
    ]
    server.reply_with(Reply(422, {"detail": problems}))
    with pytest.raises(ValidationError) as caught:
        clients.run(server.url, lambda c: c.get_product("p"))
    assert [p.model_dump() for p in caught.value.problems] == problems
    assert str(caught.value) == "422: body.name: field required; body.list.3: too much"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"detail": {"error": "deployment_blocked", "message": "Not on Fridays."}}, "Not on Fridays."),
        ({"detail": 3}, "Unprocessable"),
        (["what"], "Unprocessable"),
        (None, "Unprocessable"),
    ],
)
def test_reads_errors_of_any_shape(server: Script, clients: Clients, body: Any, detail: str) -> None:
    server.reply_with(Reply(422, body))
    with pytest.raises(ValidationError) as caught:
        clients.run(server.url, lambda c: c.get_product("p"))
    assert caught.value.detail.startswith(detail)
    assert caught.value.body == ("" if body is None else body)
    assert caught.value.problems == []


def test_conflict_has_a_reason(server: Script, clients: Clients) -> None:
    detail = "Version 1 already exists with different SHA"
    server.reply_with(Reply(409, {"detail": detail, "message": "…", "error": "version_conflict"}))
    with pytest.raises(Conflict) as caught:
        clients.run(server.url, lambda c: c.get_product("p"))
    assert (caught.value.reason, caught.value.detail) == ("version_conflict", detail)


@pytest.mark.parametrize("status", [409, 423, 428])
def test_blocked_has_the_policy(server: Script, clients: Clients, status: int) -> None:
    policy = {
        "error": "deployment_blocked",
        "message": "Not on Fridays.",
        "code": "NO_DEPLOY_WINDOW",
        "retry_after": "2026-11-21T18:00:00Z",
        "details": {"rule_name": "weekend"},
    }
    server.reply_with(Reply(status, {"detail": policy, **policy}))
    with pytest.raises(Blocked) as caught:
        clients.run(server.url, lambda c: c.get_product("p"))
    blocked = caught.value
    assert (blocked.detail, blocked.code, blocked.allowed_from) == (
        policy["message"],
        policy["code"],
        policy["retry_after"],
    )
    assert blocked.details == {"rule_name": "weekend"}
    server.reply_with(Reply(status, {"detail": {"message": "No."}, "error": "deployment_blocked"}))
    with pytest.raises(Blocked) as caught:
        clients.run(server.url, lambda c: c.get_product("p"))
    blocked = caught.value
    assert (blocked.detail, blocked.code, blocked.allowed_from, blocked.details) == ("No.", None, None, {})


def test_reports_a_proxy_that_answers_for_the_server(server: Script, clients: Clients) -> None:
    page = "<html><head><title>502 Bad Gateway</title></head></html>"
    server.reply_with(Reply(502, None, {"Content-Type": "text/html"}, page))
    with pytest.raises(VersionerError) as caught:
        clients.run(server.url, lambda c: c.get_product("p"))
    assert (type(caught.value), caught.value.body) == (VersionerError, page)
    assert str(caught.value) == "502: Bad Gateway"
    assert len(server.requests) == 4, "a proxy's 502 is retried"

    server.reply_with(Reply(200, None, {"Content-Type": "text/html"}, page))
    with pytest.raises(UnexpectedAnswer) as unexpected:
        clients.run(server.url, lambda c: c.get_product("p"))
    assert (unexpected.value.status, unexpected.value.body) == (200, page)


def test_an_error_shows_no_value_of_the_answer(server: Script, clients: Clients) -> None:
    server.reply_with(Reply(201, {"key": "sk_secret"}))
    with pytest.raises(UnexpectedAnswer, match="key_id: Field required") as caught:
        clients.run(server.url, lambda c: c.create_api_key(models.APIKeyCreate(name="ci")))
    assert "sk_secret" not in "".join(traceback.format_exception(caught.value))


def test_reports_a_refused_connection(clients: Clients) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but not listening
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(versioner_client.ConnectionFailed, match=url) as caught:
            clients.run(url, lambda c: c.get_product("p"))
    assert caught.value.status is None


def test_gives_up_on_a_silent_server(server: Script, clients: Clients) -> None:
    server.silent = True
    server.reply_with(Reply(200))
    with pytest.raises(versioner_client.TimedOut, match=r"0\.2 seconds"):
        clients.run(server.url, lambda c: c.get_product("p"), timeout=0.2, retries=Retries(limit=1, first_wait=0.001))
    assert len(server.requests) == 2


def test_takes_a_timeout_for_one_call(server: Script, clients: Clients) -> None:
    server.silent = True
    server.reply_with(Reply(200))
    operation = versioner_client.operations.get_health()
    with pytest.raises(versioner_client.TimedOut):
        clients.run(server.url, lambda c: c.send(operation, timeout=0.2), timeout=600, retries=NEVER)


@pytest.mark.parametrize(("own", "seconds"), [(None, 20), (3, 3)])
def test_hands_the_timeout_on(own: float | None, seconds: float) -> None:
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.extensions["timeout"])
        return httpx.Response(200, json={"status": "ok", "version": "1"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        client = versioner_client.Versioner("http://example.com", timeout=20, http=http)
        client.send(versioner_client.operations.get_health(), timeout=own)
    assert asked == [{"connect": min(seconds, 10), "read": seconds, "write": seconds, "pool": seconds}]


def test_reads_retry_after() -> None:
    def read(value: str) -> float | None:
        return retry_after(httpx.Headers({"Retry-After": value}))

    assert read("12") == 12
    assert read(formatdate(0, usegmt=True)) == 0
    assert (read(formatdate(4e9, usegmt=True)) or 0) > 1e9
    for value in ("", "-1", "soon", "1.5"):
        assert read(value) is None
    assert retry_after(httpx.Headers()) is None
