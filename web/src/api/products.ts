import { queryOptions } from "@tanstack/react-query";
import {
  createProduct,
  deleteProduct,
  type Deployment,
  getProduct,
  listDeployments,
  listEnvironmentState,
  listProducts,
  type ListProductsData,
  type Product,
  type ProductCreate,
  type ProductPatch,
  updateProduct,
} from "@versioner/client";

import { live } from "../lib/live";
import type { Search } from "../lib/search";
import { client } from "./client";
import { ifMatch, listOptions, MAX_PAGE_SIZE, objectOptions, presentIn, type Revised } from "./lists";
import { queryClient } from "./query-client";

type Query = NonNullable<ListProductsData["query"]>;

export const productsQuery = (filters: Search) =>
  listOptions(["products", "list", filters], (page, signal) =>
    listProducts({
      client,
      signal,
      query: { ...presentIn<Query>(filters), sort: "name", limit: MAX_PAGE_SIZE, ...page },
    }),
  );

export const productQuery = (id: string) =>
  objectOptions(["products", id], async (signal): Promise<Revised<Product>> => {
    const { data, etag } = await getProduct({ client, signal, path: { id } }).answer();
    return { object: data, etag };
  });

export const reloadProduct = (id: string) => queryClient.fetchQuery({ ...productQuery(id), staleTime: 0 });

const changed = () => queryClient.invalidateQueries({ queryKey: ["products"] });

export const addProduct = (body: ProductCreate) => createProduct({ client, body });

export async function changeProduct(id: string, body: ProductPatch, etag: string | undefined): Promise<void> {
  await updateProduct({ client, path: { id }, body, ...ifMatch(etag) });
  await changed();
}

export const removeProduct = (id: string, etag: string | undefined) =>
  deleteProduct({ client, path: { id }, ...ifMatch(etag) });

/** The state of a product in its environments. */
export const productStateQuery = (product: string) =>
  queryOptions({
    ...live,
    queryKey: ["environment-state", "of-product", product],
    queryFn: async ({ signal }) => {
      const rows = [];
      for await (const row of listEnvironmentState({ client, signal, query: { product, limit: 1000 } })) rows.push(row);
      return rows;
    },
  });

/** The most deployments that the timelines show. */
const MAX_DEPLOYMENTS = 1000;

export interface ProductHistory {
  deployments: Deployment[];
  /** Whether there are more of that time. */
  isCut: boolean;
}

/** The deployments of a product since a time, newest first. */
export const productHistoryQuery = (product: string, since: string) =>
  queryOptions({
    ...live,
    queryKey: ["deployments", "history", product, since],
    queryFn: async ({ signal }): Promise<ProductHistory> => {
      const query = { product, since, limit: MAX_PAGE_SIZE };
      const deployments: Deployment[] = [];
      for await (const deployment of listDeployments({ client, signal, query })) {
        if (deployments.length === MAX_DEPLOYMENTS) return { deployments, isCut: true };
        deployments.push(deployment);
      }
      return { deployments, isCut: false };
    },
  });

/** The last completed deployment of a product before a time, in each of the environments: it does not change any more. */
export const runningBeforeQuery = (product: string, environments: readonly string[], until: string) =>
  queryOptions({
    queryKey: ["deployments", "before", product, until, environments],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async ({ signal }): Promise<Deployment[]> => {
      const pages = await Promise.all(
        environments.map((environment) =>
          listDeployments({ client, signal, query: { product, environment, until, status: "completed", limit: 1 } }),
        ),
      );
      return pages.flatMap(({ items }) => items);
    },
  });
