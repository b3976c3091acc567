import { getVersion, listVersions, type ListVersionsData } from "@versioner/client";

import type { Search } from "../lib/search";
import { client } from "./client";
import { listOptions, objectOptions, PAGE_SIZE, presentIn } from "./lists";

type Query = NonNullable<ListVersionsData["query"]>;

export const versionsQuery = (filters: Search) =>
  listOptions(["versions", "list", filters], (page, signal) =>
    listVersions({ client, signal, query: { ...presentIn<Query>(filters), limit: PAGE_SIZE, ...page } }),
  );

export const versionQuery = (id: string) =>
  objectOptions(["versions", id], (signal) => getVersion({ client, signal, path: { id } }));
