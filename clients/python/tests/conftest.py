"""A server with scripted answers, and a fixture that runs a test with both clients."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterable, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from versioner_client import AsyncVersioner, Pages, Retries, Versioner

PRODUCT: dict[str, Any] = {
    "id": "01a208e8-3984-70ee-9241-9fbc66602e9b",
    "name": "checkout",
    "description": "",
    "extra_metadata": {"team": "shop"},
    "created_at": "2026-11-23T14:56:06.535496Z",
    "updated_at": "2026-11-23T14:56:06.535496Z",
}
FAST = Retries(first_wait=0.001)


@dataclass
class Reply:
    """One answer of the server; with the status 0 it closes the connection instead."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass
class Request:
    """A request that the server received."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Script:
    """A server with scripted answers."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.released = threading.Event()
        self.silent = False
        self._reply: Callable[[Request], Reply]

    def reply_with(self, *replies: Reply) -> None:
        """Answer in this order; the last answer is repeated."""
        left = list(replies)
        self._reply = lambda _: left.pop(0) if len(left) > 1 else left[0]

    def reply_by(self, to: Callable[[Request], Reply]) -> None:
        """Answer each request with the result of a function, which requests may call concurrently."""
        self._reply = to

    def take(self, request: Request) -> Reply:
        self.requests.append(request)
        return self._reply(request)


def handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = script.take(Request(self.command, self.path, headers, json.loads(text) if text else None))
            if script.silent:
                script.released.wait()
            if reply.status == 0:
                self.close_connection = True
                return
            body = (reply.text if reply.body is None else json.dumps(reply.body)).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    monkeypatch.delenv("VERSIONER_API_URL", raising=False)
    monkeypatch.delenv("VERSIONER_API_KEY", raising=False)
    script = Script()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(script)) as listener:
        script.url = f"http://127.0.0.1:{listener.server_port}"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield script
        script.released.set()
        listener.shutdown()
        thread.join()


class Clients:
    """Runs calls with one of the two clients: it awaits the result, and reads lists to the end."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, url: str | None, call: Callable[[Any], Any], credential: Any = None, **options: Any) -> Any:
        options.setdefault("retries", FAST)
        if self.name == "Versioner":
            with Versioner(url, credential, **options) as client:
                return read(call(client))
        return asyncio.run(self._run(url, call, credential, options))

    async def _run(self, url: str | None, call: Callable[[Any], Any], credential: Any, options: Any) -> Any:
        async with AsyncVersioner(url, credential, **options) as client:
            answer = call(client)
            if isinstance(answer, AsyncIterable):
                return [item async for item in answer]
            return await answer


def read(answer: Any) -> Any:
    return list(answer) if isinstance(answer, (Pages, Iterator)) else answer


@pytest.fixture(params=["Versioner", "AsyncVersioner"])
def clients(request: pytest.FixtureRequest) -> Clients:
    return Clients(request.param)
