/**
 * A web page of another origin than the server's: package.test.ts type-checks it, bundles it, and opens it in Chromium.
 *
 * The fragment of the page's address has the server's address and a token, separated by #.
 */
import {
  ConnectionFailed,
  createClient,
  createProduct,
  getProduct,
  listProducts,
  NotFound,
  updateProduct,
  ValidationError,
} from "@versioner/client";

const [baseUrl = "", token = ""] = location.hash.slice(1).split("#");

function is(what: boolean, name: string): void {
  if (!what) throw new Error(name);
}

async function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function run(): Promise<void> {
  const client = createClient({ baseUrl, credential: async () => token });
  for (const number of [1, 2, 3]) await createProduct({ client, body: { name: `page-${number}` } });
  const names: string[] = [];
  for await (const product of listProducts({ client, query: { limit: 1, q: "page-" } })) names.push(product.name);
  is(names.join() === "page-3,page-2,page-1", "pages");

  const [product] = (await listProducts({ client, query: { q: "page-2" } })).items;
  const path = { id: product?.id ?? "" };
  const { etag = "", requestId } = await getProduct({ client, path }).answer();
  is(etag !== "" && requestId !== undefined, "the headers of an answer");
  const body = { description: "Zweite Seite, 第二" };
  const changed = await updateProduct({ client, path, headers: { "If-Match": etag }, body });
  is(changed.description === body.description, "a change");

  const missing = await failure(getProduct({ client, path: { id: "01a1f44d-55e8-7b5b-b04b-7095f117bbe8" } }));
  is(missing instanceof NotFound && missing.requestId !== undefined, "an unknown product");
  const wrong = await failure(createProduct({ client, body: { name: "" } }));
  is(wrong instanceof ValidationError && wrong.problems[0]?.loc.join() === "body,name", "problems");
  const unreachable = createClient({ baseUrl: "http://127.0.0.1:9", retries: { limit: 1, firstWait: 1 } });
  is((await failure(listProducts({ client: unreachable }))) instanceof ConnectionFailed, "an unreachable server");
  const reason = new Error("aborted");
  is((await failure(listProducts({ client, signal: AbortSignal.abort(reason) }))) === reason, "an aborted call");
}

run().then(
  () => (document.title = "done"),
  (error: unknown) => (document.title = `failed: ${String(error)}`),
);
