/** Errors. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";

import * as versioner from "../src/index.js";
import { getHealth, getProduct, listEnvironmentState } from "../src/index.js";
import { retryAfter } from "../src/errors.js";
import { script } from "./script.js";

const path = { id: "p" };
const NEVER = { limit: 0 };

const NAMES = {
  400: "VersionerError",
  401: "Unauthenticated",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  412: "PreconditionFailed",
  429: "RateLimited",
  500: "VersionerError",
  503: "Unavailable",
} as const;

for (const [status, name] of Object.entries(NAMES)) {
  test(`${status} is ${name}`, async (t) => {
    const server = await script(t);
    const headers = { "X-Request-ID": "r1", "Retry-After": "7" };
    server.replyWith({ status: Number(status), body: { detail: "No." }, headers });
    await assert.rejects(getProduct({ client: server.client({ retries: NEVER }), path }), (error) => {
      assert(error instanceof versioner[name]);
      assert(error instanceof versioner.VersionerError);
      assert.deepEqual(
        [error.name, error.status, error.detail, error.requestId, error.retryAfter],
        [name, Number(status), "No.", "r1", 7000],
      );
      assert.equal(error.message, `${status}: No. (request r1)`);
      return true;
    });
  });
}

test("304 is NotModified, and no failure to repeat", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 304, headers: { ETag: '"x"' } });
  const headers = { "If-None-Match": '"x"' };
  await assert.rejects(listEnvironmentState({ client: server.client(), headers }).answer(), (error) => {
    assert(error instanceof versioner.NotModified);
    assert.deepEqual([error.name, error.status, error.headers.get("ETag")], ["NotModified", 304, '"x"']);
    return true;
  });
  assert.deepEqual(
    server.requests.map((request) => request.headers["if-none-match"]),
    ['"x"'],
  );
});

test("lists the problems of a request", async (t) => {
  const server = await script(t);
  const problems = [
    { loc: ["body", "name"], msg: "field required", type: "value_error.missing" },
    { loc: ["body", "list", 3], msg: "too much", type: "value_error" },
  ];
  server.replyWith({ status: 422, body: { detail: problems } });
  await assert.rejects(getProduct({ client: server.client(), path }), (error) => {
    assert(error instanceof versioner.ValidationError);
    assert.deepEqual(error.problems, problems);
    assert.equal(error.message, "422: body.name: field required; body.list.3: too much");
    return true;
  });
});

test("Conflict has a reason", async (t) => {
  const server = await script(t);
  const body = { detail: "Version 1 already exists with different SHA", message: "…", error: "version_conflict" };
  server.replyWith({ status: 409, body });
  const call = getProduct({ client: server.client(), path });
  await assert.rejects(call, { name: "Conflict", reason: "version_conflict", detail: body.detail, body });
});

for (const status of [409, 423, 428]) {
  test(`Blocked has the policy of a ${status}`, async (t) => {
    const server = await script(t);
    const policy = {
      error: "deployment_blocked",
      message: "Not on Fridays.",
      code: "NO_DEPLOY_WINDOW",
      retry_after: "2026-11-21T18:00:00Z",
      details: { rule_name: "weekend" },
    };
    server.replyWith({ status, body: { detail: policy, ...policy } });
    await assert.rejects(getProduct({ client: server.client(), path }), {
      name: "Blocked",
      detail: "Not on Fridays.",
      code: "NO_DEPLOY_WINDOW",
      allowedFrom: "2026-11-21T18:00:00Z",
      details: { rule_name: "weekend" },
    });
    server.replyWith({ status, body: { detail: { message: "No." }, error: "deployment_blocked" } });
    const bare = { name: "Blocked", detail: "No.", code: undefined, allowedFrom: undefined, details: {} };
    await assert.rejects(getProduct({ client: server.client(), path }), bare);
  });
}

test("reads errors of any shape", async (t) => {
  const server = await script(t);
  for (const [body, detail] of [
    [{ detail: { message: "Not now." } }, "Not now."],
    [{ detail: 3 }, "Unprocessable Entity"],
    [{ detail: ["what"] }, "Unprocessable Entity"],
    [["what"], "Unprocessable Entity"],
    ["<html>", "Unprocessable Entity"],
    [undefined, "Unprocessable Entity"],
  ]) {
    server.replyWith({ status: 422, body });
    const call = getProduct({ client: server.client(), path });
    await assert.rejects(call, { name: "ValidationError", detail, body, problems: [] });
  }
});

test("reports a proxy that answers for the server", async (t) => {
  const server = await script(t);
  const body = "<html><head><title>502 Bad Gateway</title></head></html>";
  server.replyWith({ status: 502, body, headers: { "Content-Type": "text/html" } });
  await assert.rejects(getProduct({ client: server.client(), path }), {
    name: "VersionerError",
    status: 502,
    detail: "Bad Gateway",
    body,
    message: "502: Bad Gateway",
  });
  assert.equal(server.requests.length, 4, "a proxy's 502 is retried");
});

test("reports a refused connection", async () => {
  const unused = createServer();
  await new Promise<void>((resolve) => unused.listen(0, "127.0.0.1", resolve));
  const baseUrl = `http://127.0.0.1:${(unused.address() as AddressInfo).port}`;
  await new Promise((resolve) => unused.close(resolve));
  const client = versioner.createClient({ baseUrl, retries: { limit: 1, firstWait: 1 } });
  await assert.rejects(getProduct({ client, path }), (error) => {
    assert(error instanceof versioner.ConnectionFailed);
    assert.deepEqual([error.name, error.status, error.code], ["ConnectionFailed", undefined, "ECONNREFUSED"]);
    assert(error.message.includes(baseUrl), error.message);
    return true;
  });
});

test("gives up on a silent server", async (t) => {
  const server = await script(t);
  server.replyWith({ status: "silence" });
  let attempts = 0; // a request that is given up early may not reach the server
  const counting: versioner.ClientOptions["fetch"] = (url, init) => {
    attempts++;
    return fetch(url, init);
  };
  const client = server.client({ timeout: 100, retries: { limit: 1, firstWait: 1 }, fetch: counting });
  await assert.rejects(getProduct({ client, path }), (error) => {
    assert(error instanceof versioner.TimedOut);
    assert(error instanceof versioner.ConnectionFailed);
    assert.match(error.message, /within 100 ms/);
    return true;
  });
  assert.equal(attempts, 2);
});

test("accepts a timeout for one call, and no timeout", async (t) => {
  const server = await script(t);
  server.replyWith({ status: "silence" });
  const client = server.client({ timeout: Infinity, retries: NEVER });
  await assert.rejects(getHealth({ client, timeout: 100 }), { name: "TimedOut" });
  server.replyWith({ status: 200, body: { status: "ok" } });
  assert.equal((await getHealth({ client })).status, "ok");
});

test("rejects with the caller's reason after an abort", async (t) => {
  const server = await script(t);
  const reason = new Error("the page was left");

  await t.test("before the first attempt", async () => {
    await assert.rejects(getHealth({ client: server.client(), signal: AbortSignal.abort(reason) }), reason);
    assert.equal(server.requests.length, 0);
  });

  await t.test("during an attempt", async () => {
    const caller = new AbortController();
    server.replyBy(() => {
      caller.abort(reason);
      return { status: "silence" };
    });
    await assert.rejects(getHealth({ client: server.client(), signal: caller.signal }), reason);
    assert.equal(server.requests.length, 1);
  });

  await t.test("between attempts", { timeout: 60_000 }, async () => {
    const caller = new AbortController();
    let attempts = 0;
    const unavailable = () => {
      attempts++;
      // The attempt ends without another turn of the event loop: the client waits when the caller aborts.
      setImmediate(() => caller.abort(reason));
      return Promise.resolve(new Response(null, { status: 503, headers: { "Retry-After": "3600" } }));
    };
    const client = server.client({ fetch: unavailable, retries: { longestWait: 7_200_000 } });
    await assert.rejects(getHealth({ client, signal: caller.signal }), reason);
    assert.equal(attempts, 1);
  });
});

test("reads Retry-After", () => {
  const read = (value: string) => retryAfter(new Headers({ "Retry-After": value }));
  assert.equal(read("12"), 12_000);
  assert.equal(read(new Date(0).toUTCString()), 0);
  assert((read(new Date(4e12).toUTCString()) ?? 0) > 1e12);
  for (const value of ["", "-1", "soon", "1.5"]) assert.equal(read(value), undefined);
  assert.equal(retryAfter(new Headers()), undefined);
});
