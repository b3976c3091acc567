import { createAPIKey } from "@versioner/client";

import { client } from "./client";

/** Creates an API key. The answer is the only one that has its secret. */
export const createKey = (name: string, description: string) => createAPIKey({ client, body: { name, description } });
