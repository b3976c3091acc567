import { getBuild, listBuildEvents, listBuilds, type ListBuildsData } from "@versioner/client";

import type { Search } from "../lib/search";
import { client } from "./client";
import { listOptions, objectOptions, PAGE_SIZE, presentIn } from "./lists";

type Query = NonNullable<ListBuildsData["query"]>;

/** The filters of the list of builds; the parameters of its page have the same names. */
export const BUILD_FILTERS = ["product", "version", "status", "scm_sha", "since", "until"] as const;

export const buildsQuery = (filters: Search) =>
  listOptions(["builds", "list", filters], (page, signal) =>
    listBuilds({ client, signal, query: { ...presentIn<Query>(filters), limit: PAGE_SIZE, ...page } }),
  );

export const buildQuery = (id: string) =>
  objectOptions(["builds", id], (signal) => getBuild({ client, signal, path: { id } }));

export const buildEventsQuery = (id: string) =>
  listOptions(["builds", id, "events"], (page, signal) =>
    listBuildEvents({ client, signal, path: { id }, query: { limit: PAGE_SIZE, ...page } }),
  );
