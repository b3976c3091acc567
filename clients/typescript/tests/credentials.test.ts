/** Credentials. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  createClient,
  createDeploymentEvent,
  createProduct,
  getHealth,
  getProduct,
  type Scheme,
} from "../src/index.js";
import { environment, OK, script } from "./script.js";

const path = { id: "p" };

test("sends a credential", async (t) => {
  const server = await script(t);
  server.replyWith(OK);
  await getProduct({ client: server.client({ credential: "sk_demo_k1_secret\n" }), path });
  assert.equal(server.requests[0]?.headers.authorization, "Bearer sk_demo_k1_secret");
});

test("calls a function before every attempt", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 503 }, { status: 503 }, { status: 503 }, { status: 503 }, OK);
  const tokens = [() => "old", async () => "new", () => undefined, () => null, () => "last"];
  const retries = { limit: 4, firstWait: 1 };
  await getProduct({ client: server.client({ credential: () => tokens.shift()?.(), retries }), path });
  const sent = server.requests.map((request) => request.headers.authorization);
  assert.deepEqual(sent, ["Bearer old", "Bearer new", undefined, undefined, "Bearer last"]);
});

test("passes the operation's scheme to the function", async (t) => {
  const server = await script(t);
  server.replyWith(OK);
  const client = server.client({ credential: (scheme: Scheme) => (scheme === "ApiKeyAuth" ? "key" : "token") });
  const body = { product_name: "a", version: "1", environment_name: "b", status: "started" as const };
  await createDeploymentEvent({ client, body });
  await getProduct({ client, path });
  const sent = server.requests.map((request) => request.headers.authorization);
  assert.deepEqual(sent, ["Bearer key", "Bearer token"]);
});

test("rejects with the error of the function", async (t) => {
  const server = await script(t);
  const refused = new Error("signed out");
  const client = server.client({ credential: () => Promise.reject(refused) });
  await assert.rejects(getProduct({ client, path }), refused);
  assert.equal(server.requests.length, 0);
});

test("calls the function again after the first 401", async (t) => {
  const server = await script(t);
  const body = { name: "checkout" };
  server.replyWith({ status: 401 }, { status: 200, body: {} });
  let tokens = ["expired", "fresh"];
  const client = server.client({ credential: async () => tokens.shift() });
  await createProduct({ client, body });
  const sent = server.requests.map(({ headers }) => [headers.authorization, headers["idempotency-key"]]);
  assert.deepEqual(
    sent.map(([authorization]) => authorization),
    ["Bearer expired", "Bearer fresh"],
  );
  assert.equal(sent[0]?.[1], sent[1]?.[1]);

  server.replyWith({ status: 401 });
  tokens = ["expired", "revoked", "unused"];
  await assert.rejects(getProduct({ client, path }), { name: "Unauthenticated" });
  assert.equal(server.requests.length, 4);
  assert.deepEqual(tokens, ["unused"]);
});

test("does not send a refused credential again", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 401 });
  const signedOut = ["last", null];
  for (const credential of ["sk", () => "same", () => signedOut.shift()]) {
    await assert.rejects(getProduct({ client: server.client({ credential }), path }), { name: "Unauthenticated" });
  }
  assert.equal(server.requests.length, 3);
});

test("rejects with the error of the function between attempts", async (t) => {
  const server = await script(t);
  const gone = new Error("signed out");
  for (const status of [401, 503]) {
    server.replyWith({ status });
    const tokens = ["token"];
    const credential = () => {
      const token = tokens.pop();
      if (token === undefined) throw gone;
      return token;
    };
    await assert.rejects(getProduct({ client: server.client({ credential }), path }), gone);
  }
  assert.equal(server.requests.length, 2);
});

test("does not wait for the function after an abort", async (t) => {
  const server = await script(t);
  const client = server.client({ credential: () => new Promise<string>(() => undefined) });
  const left = new Error("the page was left");
  const caller = new AbortController();
  const call = getProduct({ client, path, signal: caller.signal });
  setTimeout(() => caller.abort(left), 20);
  await assert.rejects(call, left);
  assert.equal(server.requests.length, 0);
});

test("rejects an invalid credential without showing it", async (t) => {
  const server = await script(t);
  for (const credential of ["sk_secret\nkey", "sk_secret key", "sk_secret_ü", "sk_secret\u0000"]) {
    await assert.rejects(getProduct({ client: server.client({ credential }), path }), (error: Error) => {
      assert(error instanceof TypeError);
      assert.doesNotMatch(String(error.stack), /secret/);
      return true;
    });
  }
  assert.equal(server.requests.length, 0);
});

test("takes address and key from the environment", async (t) => {
  const server = await script(t);
  server.replyWith(OK);
  environment(t, { VERSIONER_API_URL: server.url, VERSIONER_API_KEY: "sk_environment" });
  await getProduct({ client: createClient(), path });
  assert.equal(server.requests[0]?.headers.authorization, "Bearer sk_environment");
});

test("public operations send no credential", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 200, body: { status: "ok", version: "1" } });
  await getHealth({ client: server.client({ credential: "sk_secret" }) });
  assert.equal(server.requests[0]?.headers.authorization, undefined);
});
