/** Who asks. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createClient, createDeploymentEvent, getHealth, getProduct, type Scheme } from "../src/index.js";
import { environment, OK, script } from "./script.js";

const path = { id: "p" };

test("sends a credential", async (t) => {
  const server = await script(t);
  server.says(OK);
  await getProduct({ client: server.client({ credential: "sk_demo_k1_secret\n" }), path });
  assert.equal(server.asked[0]?.headers.authorization, "Bearer sk_demo_k1_secret");
});

test("asks a function before every try", async (t) => {
  const server = await script(t);
  server.says({ status: 503 }, { status: 503 }, { status: 503 }, { status: 503 }, OK);
  const tokens = [() => "old", async () => "new", () => undefined, () => null, () => "last"];
  const retries = { limit: 4, firstWait: 1 };
  await getProduct({ client: server.client({ credential: () => tokens.shift()?.(), retries }), path });
  const sent = server.asked.map((request) => request.headers.authorization);
  assert.deepEqual(sent, ["Bearer old", "Bearer new", undefined, undefined, "Bearer last"]);
});

test("tells the function what the operation takes", async (t) => {
  const server = await script(t);
  server.says(OK);
  const client = server.client({ credential: (scheme: Scheme) => (scheme === "ApiKeyAuth" ? "key" : "token") });
  const body = { product_name: "a", version: "1", environment_name: "b", status: "started" };
  await createDeploymentEvent({ client, body });
  await getProduct({ client, path });
  const sent = server.asked.map((request) => request.headers.authorization);
  assert.deepEqual(sent, ["Bearer key", "Bearer token"]);
});

test("passes on that there is no credential to be had", async (t) => {
  const server = await script(t);
  const refused = new Error("signed out");
  const client = server.client({ credential: () => Promise.reject(refused) });
  await assert.rejects(getProduct({ client, path }), refused);
  assert.equal(server.asked.length, 0);
});

test("takes address and key from the environment", async (t) => {
  const server = await script(t);
  server.says(OK);
  environment(t, { VERSIONER_API_URL: server.url, VERSIONER_API_KEY: "sk_environment" });
  await getProduct({ client: createClient(), path });
  assert.equal(server.asked[0]?.headers.authorization, "Bearer sk_environment");
});

test("sends none where none is asked for", async (t) => {
  const server = await script(t);
  server.says({ status: 200, body: { status: "ok", version: "1" } });
  await getHealth({ client: server.client({ credential: "sk_secret" }) });
  assert.equal(server.asked[0]?.headers.authorization, undefined);
});
