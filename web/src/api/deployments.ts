import { queryOptions } from "@tanstack/react-query";
import { listDeployments } from "@versioner/client";

import { live } from "../lib/live";
import { client } from "./client";

/** The newest deployment of the account. */
export const firstDeploymentQuery = queryOptions({
  ...live,
  queryKey: ["deployments", "newest"],
  queryFn: ({ signal }) => listDeployments({ client, signal, query: { limit: 1 } }),
});
