/** The object with a method for each operation. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createVersioner, type Versioner } from "../src/index.js";
import * as operations from "../src/generated/sdk.gen.js";
import { PRODUCT, script } from "./script.js";

test("has every operation as a method", async (t) => {
  const server = await script(t);
  server.replyWith(
    { status: 200, body: { items: [PRODUCT], next_cursor: null } },
    { status: 200, body: PRODUCT },
    { status: 200, body: PRODUCT },
  );
  const versioner = createVersioner({ baseUrl: server.url });
  assert.deepEqual(Object.keys(versioner).sort(), Object.keys(operations).sort());

  const names: string[] = [];
  for await (const product of versioner.listProducts()) names.push(product.name);
  assert.deepEqual(names, [PRODUCT.name]);
  assert.equal((await versioner.getProduct({ path: { id: PRODUCT.id } })).id, PRODUCT.id);
  await versioner.updateProduct({ path: { id: PRODUCT.id }, body: { description: "d" } });
  assert.deepEqual(
    server.requests.map((request) => request.method),
    ["GET", "GET", "PATCH"],
  );
});

/** Compiled only: what an operation requires, its method requires. */
export const wrong = (versioner: Versioner): unknown[] => [
  // @ts-expect-error The path is required.
  versioner.getProduct(),
  // @ts-expect-error The status is none of the accepted words.
  versioner.createDeploymentEvent({ body: { product_name: "p", version: "1", environment_name: "e", status: "done" } }),
];
