/** Wrong types: package.test.ts expects an error in each line that starts with const number, await or for await. */
import { createClient, createDeploymentEvent, getHealth, getProduct, listDeployments } from "@versioner/client";

const client = createClient();
const number: number = (await getHealth({ client })).version;
await getProduct({ client });
await listDeployments({ client, query: { status: "unknown" } });
await createDeploymentEvent({ client, body: { product_name: "a", version: "1" } });
await createDeploymentEvent({ client, body: { product_name: 1, version: "1", status: "started" } });
for await (const letter of getHealth({ client })) console.log(letter, number);
