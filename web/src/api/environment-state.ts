import { queryOptions } from "@tanstack/react-query";
import { type EnvironmentState, listEnvironmentState } from "@versioner/client";

import { live } from "../lib/live";
import { client } from "./client";

/** All rows of the matrix: one for each product and environment. */
export const environmentStateQuery = queryOptions({
  ...live,
  queryKey: ["environment-state"],
  queryFn: async ({ signal }) => {
    const rows: EnvironmentState[] = [];
    for await (const row of listEnvironmentState({ client, signal, query: { limit: 200 } })) rows.push(row);
    return rows;
  },
});
