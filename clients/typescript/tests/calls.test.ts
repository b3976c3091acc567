/** Requests and answers. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  createClient,
  createProduct,
  deleteProduct,
  getEnvironment,
  getHealth,
  getProduct,
  listDeployments,
  listProducts,
  removeReleaseVersion,
  UnexpectedAnswer,
  updateProduct,
} from "../src/index.js";
import { environment, OK, PRODUCT, script } from "./script.js";

const id = PRODUCT.id;

test("sends an object and reads the answer", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 201, body: PRODUCT });
  const body = { name: "checkout", extra_metadata: { team: "shop" } };
  assert.deepEqual(await createProduct({ client: server.client(), body }), PRODUCT);
  const [request] = server.requests;
  assert.equal(`${request?.method} ${request?.path}`, "POST /products/");
  assert.deepEqual(request?.body, body);
  assert.equal(request?.headers["content-type"], "application/json");
  assert.match(request?.headers["user-agent"] ?? "", /^versioner-client-typescript\/\d/);
});

test("sends null, and leaves out what is undefined", async (t) => {
  const server = await script(t);
  server.replyWith(OK);
  const body = { description: null } as unknown as { description: string };
  await updateProduct({ client: server.client(), path: { id }, headers: { "If-Match": '"3"' }, body });
  assert.deepEqual(server.requests[0]?.body, { description: null });
  assert.equal(server.requests[0]?.headers["if-match"], '"3"');

  server.replyWith({ status: 200, body: { items: [], next_cursor: null } });
  const query = { product: "a&b", status: "failed", limit: 7, version: undefined } as object;
  await listDeployments({ client: server.client(), query });
  assert.deepEqual(server.requests[1]?.query, { product: "a&b", status: "failed", limit: "7" });
});

test("keeps identifiers in their segment", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 204 });
  await removeReleaseVersion({ client: server.client(), path: { id: "a/../b?c", version_id: "ü" } });
  assert.equal(server.requests[0]?.path, "/releases/a%2F..%2Fb%3Fc/versions/%C3%BC");
  for (const wrong of ["", ".", ".."]) {
    await assert.rejects(deleteProduct({ client: server.client(), path: { id: wrong } }), /identifies nothing/);
  }
  assert.equal(server.requests.length, 1);
});

test("reads answers without a body", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 204 });
  assert.equal(await deleteProduct({ client: server.client(), path: { id } }), undefined);
  assert.equal(`${server.requests[0]?.method} ${server.requests[0]?.path}`, `DELETE /products/${id}`);
  assert.equal(server.requests[0]?.headers["content-type"], undefined);
});

test("answer() returns the headers", async (t) => {
  const server = await script(t);
  server.replyWith({ ...OK, headers: { ETag: '"7"', "X-Request-ID": "r1" } });
  const answer = await getProduct({ client: server.client(), path: { id } }).answer();
  assert.deepEqual([answer.data.name, answer.status, answer.etag, answer.requestId], ["checkout", 200, '"7"', "r1"]);
  server.replyWith(OK);
  assert.equal((await getProduct({ client: server.client(), path: { id } }).answer()).etag, undefined);
});

test("answer() rejects without an unhandled rejection", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 404 });
  const unhandled: unknown[] = [];
  const record = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", record);
  t.after(() => process.off("unhandledRejection", record));
  await assert.rejects(getProduct({ client: server.client(), path: { id } }).answer(), { name: "NotFound" });
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(unhandled, []);
});

test("accepts answers of a newer server", async (t) => {
  const server = await script(t);
  const body = { ...PRODUCT, type: "moon", colour: "red" };
  server.replyWith({ status: 200, body });
  assert.deepEqual(await getEnvironment({ client: server.client(), path: { id } }), body);
});

test("rejects answers that are not of the API", async (t) => {
  const server = await script(t);
  for (const body of [undefined, "<html>"]) {
    server.replyWith({ status: 200, body, headers: { "X-Request-ID": "r1" } });
    await assert.rejects(getProduct({ client: server.client(), path: { id } }), {
      name: "UnexpectedAnswer",
      status: 200,
      body,
      requestId: "r1",
    });
  }
});

test("follows no redirect", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 302, headers: { Location: "/elsewhere" } });
  const client = server.client({ credential: "sk_secret" });
  await assert.rejects(getProduct({ client, path: { id } }), UnexpectedAnswer);
  assert.equal(server.requests.length, 1);
});

test("keeps the path of the address", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 200, body: { status: "ok", version: "1" } });
  for (const end of ["", "/", "//", "/versioner", "/versioner/", "/a%20b/c//"]) {
    await getHealth({ client: createClient({ baseUrl: `${server.url}${end}` }) });
  }
  assert.deepEqual(
    server.requests.map((request) => request.path),
    ["/health", "/health", "/health", "/versioner/health", "/versioner/health", "/a%20b/c/health"],
  );
});

test("encodes Unicode", async (t) => {
  const server = await script(t);
  const name = "Käse-日本語-🚀";
  server.replyWith({ status: 200, body: { items: [{ ...PRODUCT, name }], next_cursor: null } });
  const client = server.client();
  const [product] = (await listProducts({ client, query: { q: name } })).items;
  assert.equal(product?.name, name);
  assert.equal(server.requests[0]?.query["q"], name);
  server.replyWith({ status: 201, body: PRODUCT });
  await createProduct({ client, body: { name } });
  assert.deepEqual(server.requests[1]?.body, { name });
});

test("times are strings, as the server sends them", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 200, body: { items: [], next_cursor: null } });
  const since = new Date(0).toISOString();
  await listDeployments({ client: server.client(), query: { since } });
  assert.equal(server.requests[0]?.query["since"], "1970-01-01T00:00:00.000Z");
  server.replyWith(OK);
  const { created_at } = await getProduct({ client: server.client(), path: { id } });
  assert.equal(created_at, PRODUCT.created_at, "a Date would lose the microseconds");
});

test("requires a valid address", (t) => {
  environment(t, { VERSIONER_API_URL: undefined });
  for (const baseUrl of [
    undefined,
    "",
    "example.com",
    "ftp://example.com",
    "http://",
    "http://example.com:port",
    "https://example.com/?a=b",
    "https://example.com/#here",
    "https://ada:secret@example.com",
    "https://secret@example.com",
  ]) {
    assert.throws(
      () => createClient({ baseUrl }),
      ({ message }: Error) => message.includes("VERSIONER_API_URL") && !/secret@/.test(message),
    );
  }
});

test("sends with the option fetch", async () => {
  const fetch = async (url: string, init: RequestInit) =>
    Response.json({ status: `${init.method} ${url}`, version: "" });
  const health = await getHealth({ client: createClient({ baseUrl: "https://example.com", fetch }) });
  assert.equal(health.status, "GET https://example.com/health");
});
