import { queryOptions } from "@tanstack/react-query";
import { listDeploymentRules, listEnvironments, listProducts, listReleases, listVersions } from "@versioner/client";

import { client } from "./client";
import { MAX_PAGE_SIZE } from "./lists";

const LIMIT = 8;

/** What the palette finds by a part of a name. */
export const paletteQuery = (text: string) =>
  queryOptions({
    queryKey: ["palette", text],
    enabled: text !== "",
    staleTime: 30_000,
    queryFn: async ({ signal }) => {
      const [products, environments, releases, versions, rules] = await Promise.all([
        listProducts({ client, signal, query: { q: text, sort: "name", limit: LIMIT } }),
        listEnvironments({ client, signal, query: { q: text, sort: "name", limit: LIMIT } }),
        listReleases({ client, signal, query: { q: text, limit: LIMIT } }),
        listVersions({ client, signal, query: { q: text, limit: LIMIT } }),
        listDeploymentRules({ client, signal, query: { limit: MAX_PAGE_SIZE } }), // all: there are at most 100
      ]);
      const named = rules.items.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
      return [
        ...products.items.map(({ id, name }) => ({
          id,
          kind: "Product",
          text: name,
          to: `/products/${id}`,
        })),
        ...environments.items.map(({ id, name }) => ({
          id,
          kind: "Environment",
          text: name,
          to: `/environments/${id}`,
        })),
        ...releases.items.map(({ id, name }) => ({
          id,
          kind: "Release",
          text: name,
          to: `/releases/${id}`,
        })),
        ...versions.items.map(({ id, product_name, version }) => ({
          id,
          kind: "Version",
          text: `${product_name} ${version}`,
          to: `/versions/${id}`,
        })),
        ...named.slice(0, LIMIT).map(({ id, name }) => ({ id, kind: "Rule", text: name, to: `/rules/${id}` })),
      ];
    },
  });
