/** Iteration over lists. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { listProducts } from "../src/index.js";
import { PRODUCT, type Reply, script } from "./script.js";

function page(cursor: string | null, ...names: string[]): Reply {
  return { status: 200, body: { items: names.map((name) => ({ ...PRODUCT, name })), next_cursor: cursor } };
}

async function names(products: AsyncIterable<{ name: string }>): Promise<string[]> {
  const all: string[] = [];
  for await (const product of products) all.push(product.name);
  return all;
}

test("reads all pages", async (t) => {
  const server = await script(t);
  server.replyWith(page("c1", "a", "b"), { status: 503 }, page("c2"), page(null, "c"));
  const products = listProducts({ client: server.client(), query: { limit: 2, q: "x" } });
  assert.deepEqual(await names(products), ["a", "b", "c"]);
  const same = { limit: "2", q: "x" };
  assert.deepEqual(
    server.requests.map((request) => request.query),
    [same, { ...same, cursor: "c1" }, { ...same, cursor: "c1" }, { ...same, cursor: "c2" }],
  );
});

test("iterates over pages", async (t) => {
  const server = await script(t);
  server.replyWith(page("c1", "a"), page(null, "b"));
  const pages: unknown[] = [];
  for await (const { items, next_cursor } of listProducts({
    client: server.client(),
    query: { cursor: "c0" },
  }).pages()) {
    pages.push([items.length, next_cursor]);
  }
  assert.deepEqual(pages, [
    [1, "c1"],
    [1, null],
  ]);
  assert.equal(server.requests[0]?.query["cursor"], "c0");
});

test("await returns the first page, which is fetched once", async (t) => {
  const server = await script(t);
  server.replyWith(page("c1", "a"), page(null, "b"));
  const products = listProducts({ client: server.client() });
  assert.equal((await products).next_cursor, "c1");
  assert.equal((await products.answer()).data.items.length, 1);
  assert.equal(server.requests.length, 1);
  assert.deepEqual(await names(products), ["a", "b"]);
  assert.equal(server.requests.length, 2);
});

test("fetches no page before it is needed, and starts at the first page each time", async (t) => {
  const server = await script(t);
  server.replyWith(page("c1", "a", "b"));
  const products = listProducts({ client: server.client() });
  for await (const product of products) if (product.name === "b") break;
  assert.equal(server.requests.length, 1);
  for await (const product of products) if (product.name === "a") break;
  assert.deepEqual(
    server.requests.map((request) => request.query["cursor"]),
    [undefined, undefined],
  );
});

test("rejects with the error of a page", async (t) => {
  const server = await script(t);
  server.replyWith(page("c1", "a"), { status: 403, body: { detail: "No." } });
  await assert.rejects(names(listProducts({ client: server.client() })), { name: "Forbidden" });
  server.replyWith({ status: 403 });
  await assert.rejects(names(listProducts({ client: server.client() })), { name: "Forbidden" });
});

test("rejects a repeated cursor", async (t) => {
  const server = await script(t);
  server.replyWith(page("c1", "a"));
  await assert.rejects(names(listProducts({ client: server.client() })), { name: "UnexpectedAnswer", status: 200 });
  assert.equal(server.requests.length, 2);

  server.replyWith(page("c1", "a"), page("c2", "b"), page("c3", "c"), page("c1", "d"));
  await assert.rejects(names(listProducts({ client: server.client() })), /was used before/);
  assert.equal(server.requests.length, 6);
});

test("a list may be empty", async (t) => {
  const server = await script(t);
  server.replyWith(page(null));
  const products = listProducts({ client: server.client() });
  assert.deepEqual([await names(products), (await products).items], [[], []]);
  assert.equal(server.requests.length, 1);
});

test("rejects an answer that is no page", async (t) => {
  const server = await script(t);
  for (const body of ["null", {}, [], { items: null }, '"text"']) {
    server.replyWith({ status: 200, body });
    await assert.rejects(names(listProducts({ client: server.client() })), { name: "UnexpectedAnswer", status: 200 });
  }
});

test("concurrent iterations are independent", async (t) => {
  const server = await script(t);
  server.replyBy(({ query }) => (query["cursor"] === "c1" ? page(null, "c") : page("c1", "a", "b")));
  const products = listProducts({ client: server.client() });
  const all = await Promise.all([names(products), names(products), names(products)]);
  assert.deepEqual(all, Array(3).fill(["a", "b", "c"]));
  assert.equal(server.requests.length, 6);
});
