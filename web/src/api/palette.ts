import { queryOptions } from "@tanstack/react-query";
import {
  listDeploymentRules,
  listEnvironments,
  listProducts,
  listReleases,
  listVersions,
  type Version,
} from "@versioner/client";

import { client } from "./client";
import { MAX_PAGE_SIZE } from "./lists";

const LIMIT = 8;

/** Milliseconds without a key until the server is asked. */
const PAUSE = 150;

/** More words are not the name of a product and a version. */
const MAX_WORDS = 4;

/** How many products the words may name. */
const MAX_PRODUCTS = 3;

/**
 * The versions that begin with one of the words, of products that have all others in their name: `gift-cards 0.2.6` or `0.2.6 of gift-cards`,
 * in any order.
 */
async function versionsByWords(text: string, signal: AbortSignal): Promise<Version[]> {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word, at, all) => word !== "of" || at === 0 || at === all.length - 1);
  if (words.length < 2 || words.length > MAX_WORDS) return [];
  const found = await Promise.all(
    words.map(async (prefix, index) => {
      const others = words.filter((_, at) => at !== index);
      const [longest = ""] = others.toSorted((a, b) => b.length - a.length);
      const products = await listProducts({
        client,
        signal,
        query: { q: longest, sort: "name", limit: MAX_PAGE_SIZE },
      });
      const named = products.items
        .filter(({ name }) => others.every((word) => name.toLowerCase().includes(word)))
        .sort((a, b) => a.name.length - b.name.length); // the name itself before longer ones
      const pages = await Promise.all(
        named
          .slice(0, MAX_PRODUCTS)
          .map(({ id }) => listVersions({ client, signal, query: { product: id, q: prefix, limit: LIMIT } })),
      );
      return pages.flatMap(({ items }) => items);
    }),
  );
  return found.flat();
}

/** The first objects with a part of a name: what has the name itself, what begins with it, and the others in their order. */
function best<T extends { name: string }>(items: readonly T[], text: string): T[] {
  const part = text.toLowerCase();
  const rank = ({ name }: T) => (name.toLowerCase() === part ? 0 : name.toLowerCase().startsWith(part) ? 1 : 2);
  return items.toSorted((a, b) => rank(a) - rank(b)).slice(0, LIMIT);
}

/** What the palette finds by a part of a name. */
export const paletteQuery = (text: string) =>
  queryOptions({
    queryKey: ["palette", text],
    enabled: text !== "",
    staleTime: 30_000,
    queryFn: async ({ signal }) => {
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      signal.throwIfAborted(); // for the text has changed
      const [products, environments, releases, versions, ofProducts, rules] = await Promise.all([
        listProducts({ client, signal, query: { q: text, sort: "name", limit: MAX_PAGE_SIZE } }),
        listEnvironments({ client, signal, query: { q: text, sort: "name", limit: MAX_PAGE_SIZE } }),
        listReleases({ client, signal, query: { q: text, limit: MAX_PAGE_SIZE } }),
        listVersions({ client, signal, query: { q: text, limit: LIMIT } }),
        versionsByWords(text, signal),
        listDeploymentRules({ client, signal, query: { limit: MAX_PAGE_SIZE } }), // all: there are at most 100
      ]);
      const named = rules.items.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
      return [
        ...best(products.items, text).map(({ id, name }) => ({
          id,
          kind: "Product",
          text: name,
          to: `/products/${id}`,
        })),
        ...best(environments.items, text).map(({ id, name }) => ({
          id,
          kind: "Environment",
          text: name,
          to: `/environments/${id}`,
        })),
        ...best(releases.items, text).map(({ id, name }) => ({
          id,
          kind: "Release",
          text: name,
          to: `/releases/${id}`,
        })),
        ...[...new Map([...versions.items, ...ofProducts].map((one) => [one.id, one])).values()].map(
          ({ id, product_name, version }) => ({
            id,
            kind: "Version",
            text: `${product_name} ${version}`,
            to: `/versions/${id}`,
          }),
        ),
        ...best(named, text).map(({ id, name }) => ({ id, kind: "Rule", text: name, to: `/rules/${id}` })),
      ];
    },
  });
