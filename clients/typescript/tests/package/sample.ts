/**
 * A user's program: package.test.ts type-checks it, and runs it against a server with the installed package.
 *
 * Arguments: the server's address, an API key, a token.
 */
import assert from "node:assert/strict";

import * as versioner from "@versioner/client";
import {
  Conflict,
  createBuildEvent,
  createClient,
  createDeploymentEvent,
  createProduct,
  deleteProduct,
  type Deployment,
  Forbidden,
  getDeployment,
  getHealth,
  getProduct,
  listDeployments,
  listProducts,
  NotFound,
  PreconditionFailed,
  type RecordedDeployment,
  Unauthenticated,
  updateProduct,
  ValidationError,
} from "@versioner/client";

const [baseUrl = "", key = "", token = ""] = process.argv.slice(2);

async function record(): Promise<void> {
  const client = createClient({ baseUrl, credential: key });
  for (let number = 0; number < 5; number++) {
    const body: versioner.DeploymentEvent = {
      product_name: `product-${number}`,
      version: "1.4.2",
      environment_name: "production",
      status: "completed",
      extra_metadata: { number },
    };
    const deployment = await createDeploymentEvent({ client, body });
    const again: RecordedDeployment = await createDeploymentEvent({ client, body });
    assert.deepEqual([deployment.status, again.id], ["completed", deployment.id]);
  }
  await assert.rejects(createBuildEvent({ client, body: { product_name: " ", version: "1" } }), (error) => {
    assert(error instanceof ValidationError);
    assert.deepEqual(error.problems[0]?.loc, ["body", "product_name"]);
    return true;
  });
}

async function change(): Promise<void> {
  const client = createClient({ baseUrl, credential: () => token });
  const names: string[] = [];
  for await (const product of listProducts({ client, query: { limit: 2 } })) names.push(product.name);
  assert.deepEqual(
    names,
    [4, 3, 2, 1, 0].map((number) => `product-${number}`),
  );

  const [product] = (await listProducts({ client, query: { q: "product-3" } })).items;
  assert(product);
  const path = { id: product.id };
  const { etag } = await getProduct({ client, path }).answer();
  assert(etag);
  const patch = { client, path, headers: { "If-Match": etag }, body: { description: "The third" } };
  assert.equal((await updateProduct(patch)).description, "The third");
  await assert.rejects(updateProduct(patch), (error) => error instanceof PreconditionFailed && !!error.requestId);

  const headers = { "Idempotency-Key": "made-once" };
  const made = await createProduct({ client, headers, body: { name: "product-5" } });
  assert.deepEqual(await createProduct({ client, headers, body: { name: "product-5" } }), made);
  const taken = createProduct({ client, body: { name: "product-5" } });
  await assert.rejects(taken, (error) => error instanceof Conflict && error.status === 409);
  const nothing: void = await deleteProduct({ client, path });
  assert.equal(nothing, undefined);
  await assert.rejects(getProduct({ client, path }), NotFound);
}

async function watch(): Promise<void> {
  const client = createClient({ baseUrl, credential: async () => token });
  const deployments: Deployment[] = [];
  const query = { limit: 1, environment: "production" };
  for await (const deployment of listDeployments({ client, query })) deployments.push(deployment);
  const numbers = deployments.map(({ extra_metadata }) => extra_metadata?.["number"]);
  assert.deepEqual(numbers, [4, 2, 1, 0]);
  const path = { id: deployments[0]?.id ?? "" };
  const [health, first] = await Promise.all([getHealth({ client }), getDeployment({ client, path })]);
  assert.deepEqual([health.status, first], ["ok", deployments[0]]);
}

async function refuse(): Promise<void> {
  const wrong = createClient({ baseUrl, credential: "sk_demo_k1_wrong" });
  await assert.rejects(listProducts({ client: wrong }), Unauthenticated);
  await assert.rejects(listProducts({ client: createClient({ baseUrl, credential: key }) }), Forbidden);
}

await record();
await change();
await watch();
await refuse();
console.log("done");
