import { queryOptions } from "@tanstack/react-query";
import { listEnvironments, listProducts } from "@versioner/client";

import { client } from "./client";

const LIMIT = 8;

/** What the palette finds by a part of a name. */
export const paletteQuery = (text: string) =>
  queryOptions({
    queryKey: ["palette", text],
    enabled: text !== "",
    staleTime: 30_000,
    queryFn: async ({ signal }) => {
      const [products, environments] = await Promise.all([
        listProducts({ client, signal, query: { q: text, sort: "name", limit: LIMIT } }),
        listEnvironments({ client, signal, query: { q: text, sort: "name", limit: LIMIT } }),
      ]);
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
      ];
    },
  });
