/** Retries. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type Client, createProduct, deleteProduct, getProduct, updateProduct } from "../src/index.js";
import { mayRepeat, waitBefore } from "../src/retry.js";
import { ConnectionFailed } from "../src/errors.js";
import { DISCONNECT, OK, PRODUCT, type Reply, script } from "./script.js";

const path = { id: "p" };
const body = { name: "checkout" };
const READ = (client: Client) => getProduct({ client, path });
const CREATE = (client: Client) => createProduct({ client, body });
const CHANGE = (client: Client) => updateProduct({ client, path, body });
const CHANGE_IF = (client: Client) => updateProduct({ client, path, body, headers: { "If-Match": '"1"' } });
const failures: Reply[] = [429, 500, 502, 503, 504].map((status) => ({ status }));

for (const [name, operation] of Object.entries({ READ, CREATE, CHANGE })) {
  for (const failure of [...failures, DISCONNECT]) {
    test(`retries ${name} after ${failure.status}`, async (t) => {
      const server = await script(t);
      server.replyWith(failure, failure, OK);
      await operation(server.client());
      assert.equal(server.requests.length, 3);
      const [first] = server.requests;
      for (const request of server.requests) {
        assert.deepEqual([request.method, request.path, request.body], [first?.method, first?.path, first?.body]);
      }
    });
  }
}

test("retries a DELETE", async (t) => {
  const server = await script(t);
  server.replyWith(DISCONNECT, { status: 204 });
  await deleteProduct({ client: server.client(), path });
  assert.equal(server.requests.length, 2);
});

test("DELETE succeeds if an attempt whose answer was lost has deleted", async (t) => {
  for (const failure of [DISCONNECT, { status: 500 }, { status: 502 }, { status: 504 }]) {
    const server = await script(t);
    server.replyWith(failure, { status: 503 }, { status: 404, headers: { "X-Request-ID": "r1" } });
    const call = deleteProduct({ client: server.client(), path, headers: { "If-Match": '"1"' } });
    const { data, status, requestId, etag } = await call.answer();
    assert.deepEqual([data, status, requestId, etag], [undefined, 204, "r1", undefined]);
    assert.equal(server.requests.length, 3);
  }
});

test("404 is NotFound unless an attempt may have deleted", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 503 }, { status: 404 });
  await assert.rejects(deleteProduct({ client: server.client(), path }), { name: "NotFound" });
  server.replyWith(DISCONNECT, { status: 404 });
  await assert.rejects(READ(server.client()), { name: "NotFound" });
  server.replyWith(DISCONNECT, { status: 412 });
  await assert.rejects(deleteProduct({ client: server.client(), path }), { name: "PreconditionFailed" });
});

for (const status of [400, 401, 403, 404, 409, 412, 422, 501]) {
  test(`does not retry ${status}`, async (t) => {
    const server = await script(t);
    server.replyWith({ status });
    await assert.rejects(READ(server.client()), { status });
    assert.equal(server.requests.length, 1);
  });
}

test("does not retry a change with If-Match after a lost answer", async (t) => {
  for (const failure of [DISCONNECT, { status: 502 }]) {
    const server = await script(t);
    server.replyWith(failure, OK);
    await assert.rejects(CHANGE_IF(server.client()));
    assert.equal(server.requests.length, 1);
  }
});

test("retries a change with If-Match that was not processed", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 503 }, OK);
  await CHANGE_IF(server.client());
  assert.equal(server.requests.length, 2);

  const guarded = new Headers({ "If-Match": '"1"' });
  const failed = (code: string) => new ConnectionFailed("", {}, { cause: { cause: { code } } });
  assert.equal(mayRepeat("PATCH", guarded, failed("ECONNREFUSED")), true);
  assert.equal(mayRepeat("PATCH", guarded, failed("ECONNRESET")), false);
  assert.equal(mayRepeat("PUT", guarded, failed("ECONNRESET")), false);
  assert.equal(mayRepeat("PUT", new Headers(), failed("ECONNRESET")), true);
});

test("stops at the limit", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 503, body: { detail: "Not now." } });
  await assert.rejects(READ(server.client({ retries: { firstWait: 1, limit: 2 } })), /Not now/);
  assert.equal(server.requests.length, 3);
});

test("makes one key for each call", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 503 }, OK);
  await CREATE(server.client());
  await CREATE(server.client());
  const [first, again, second] = server.requests.map((request) => request.headers["idempotency-key"]);
  assert.match(String(first), /^[0-9a-f]{32}$/);
  assert.equal(first, again);
  assert.notEqual(first, second);
});

test("sends an explicit key", async (t) => {
  const server = await script(t);
  server.replyWith(OK);
  await createProduct({ client: server.client(), body, headers: { "Idempotency-Key": "run-7" } });
  assert.equal(server.requests[0]?.headers["idempotency-key"], "run-7");
});

test("reads and changes need no key", async (t) => {
  const server = await script(t);
  server.replyWith(OK);
  await READ(server.client());
  await CHANGE(server.client());
  for (const request of server.requests) assert.equal(request.headers["idempotency-key"], undefined);
});

test("honors the seconds of Retry-After", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 429, headers: { "Retry-After": "1" } }, OK);
  const start = performance.now();
  await READ(server.client());
  assert(performance.now() - start >= 1000);
});

test("honors the date of Retry-After", async (t) => {
  const server = await script(t);
  const due = Math.ceil(Date.now() / 1000) * 1000 + 1000;
  server.replyWith({ status: 503, headers: { "Retry-After": new Date(due).toUTCString() } }, OK);
  await READ(server.client());
  assert(Date.now() >= due);
});

test("the timeout does not limit waits, the caller's signal does", { timeout: 60_000 }, async (t) => {
  const server = await script(t);
  const replies = ["1", null, "30"]; // answers without a network, so that no attempt takes as long as the timeout
  let attempts = 0;
  const answer = () => {
    const wait = replies[attempts++];
    return Promise.resolve(
      wait ? new Response(null, { status: 429, headers: { "Retry-After": wait } }) : Response.json(PRODUCT),
    );
  };
  const client = server.client({ timeout: 500, fetch: answer });
  await READ(client);
  assert.equal(attempts, 2);
  const call = getProduct({ client, path, signal: AbortSignal.timeout(50) });
  await assert.rejects(call, { name: "TimeoutError" });
  assert.equal(attempts, 3);
});

test("does not wait longer than the limit", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 503, headers: { "Retry-After": "3600" } });
  await assert.rejects(READ(server.client()), { name: "Unavailable", retryAfter: 3_600_000 });
  assert.equal(server.requests.length, 1);
});

test("waits twice as long each time", () => {
  const retries = { limit: 10, firstWait: 1000, longestWait: 5000 };
  for (const [retry, longest] of [1000, 2000, 4000, 5000, 5000].entries()) {
    const waits = Array.from({ length: 50 }, () => waitBefore(retry, undefined, retries) ?? 0);
    assert(new Set(waits).size > 1, "waits have jitter");
    for (const wait of waits) assert(longest / 2 <= wait && wait <= longest, `${wait} of ${longest}`);
  }
  assert.equal(waitBefore(10, undefined, retries), undefined);
});

test("never waits less than requested", () => {
  const retries = { limit: 3, firstWait: 500, longestWait: 10_000 };
  for (let i = 0; i < 50; i++) assert((waitBefore(0, 10_000, retries) ?? 0) > 10_000);
  assert.equal(waitBefore(0, 10_001, retries), undefined);
});
