import { queryOptions } from "@tanstack/react-query";
import {
  addReleaseVersion,
  createRelease,
  deleteRelease,
  getRelease,
  getReleaseProgress,
  listReleases,
  listReleaseVersions,
  type Release,
  type ReleaseCreate,
  type ReleaseEnvironmentStatus,
  type ReleasePatch,
  type ReleaseStatus,
  removeReleaseVersion,
  updateRelease,
} from "@versioner/client";

import { live } from "../lib/live";
import { client } from "./client";
import {
  COLUMN_PACE,
  COLUMN_SIZE,
  ifMatch,
  listOptions,
  MAX_PAGE_SIZE,
  objectOptions,
  PAGE_SIZE,
  type Revised,
} from "./lists";
import { queryClient } from "./query-client";

export const releasesQuery = (status: ReleaseStatus, q: string | undefined) =>
  listOptions(
    ["releases", "list", status, q],
    (page, signal) =>
      listReleases({ client, signal, query: { status, ...(q ? { q } : {}), limit: COLUMN_SIZE, ...page } }),
    COLUMN_PACE,
  );

/** The releases that contain a version, newest first. */
export const releasesOfVersionQuery = (version: string) =>
  listOptions(["releases", "of-version", version], (page, signal) =>
    listReleases({ client, signal, query: { version_id: version, limit: PAGE_SIZE, ...page } }),
  );

async function readRelease(id: string, signal?: AbortSignal): Promise<Revised<Release>> {
  const { data, etag } = await getRelease({ client, ...(signal ? { signal } : {}), path: { id } }).answer();
  return { object: data, etag };
}

export const releaseQuery = (id: string) => objectOptions(["releases", id], (signal) => readRelease(id, signal));

export const reloadRelease = (id: string) => queryClient.fetchQuery({ ...releaseQuery(id), staleTime: 0 });

const changed = () => queryClient.invalidateQueries({ queryKey: ["releases"] });

export const addRelease = (body: ReleaseCreate) => createRelease({ client, body });

export async function changeRelease(id: string, body: ReleasePatch, etag: string | undefined): Promise<void> {
  await updateRelease({ client, path: { id }, body, ...ifMatch(etag) });
  await changed();
}

/** Changes the status, if the release still has the one that the user sees. */
export async function moveRelease(release: Release, status: ReleaseStatus): Promise<void> {
  const { object, etag } = await readRelease(release.id);
  if (object.status !== release.status) {
    await changed();
    throw new Error("Another user has moved this release. The board shows where it is now.");
  }
  await changeRelease(release.id, { status }, etag);
}

export const removeRelease = (id: string, etag: string | undefined) =>
  deleteRelease({ client, path: { id }, ...ifMatch(etag) });

export const releaseVersionsQuery = (id: string) =>
  listOptions(["releases", id, "versions"], (page, signal) =>
    listReleaseVersions({ client, signal, path: { id }, query: { limit: MAX_PAGE_SIZE, ...page } }),
  );

export async function addToRelease(id: string, version: string): Promise<void> {
  await addReleaseVersion({ client, path: { id }, body: { version_id: version } });
  await changed();
}

export async function removeFromRelease(id: string, version: string): Promise<void> {
  await removeReleaseVersion({ client, path: { id, version_id: version } });
  await changed();
}

/** The most cells of the grid that are read: a release of 50 products in 100 environments. */
const MAX_CELLS = 5000;

/** The status of each version of the release in each environment. */
export const progressQuery = (id: string) =>
  queryOptions({
    ...live,
    queryKey: ["releases", id, "progress"],
    queryFn: async ({ signal }) => {
      const cells: ReleaseEnvironmentStatus[] = [];
      let cursor: string | null = null;
      do {
        const page: { environments: ReleaseEnvironmentStatus[]; next_cursor: string | null } = await getReleaseProgress(
          {
            client,
            signal,
            path: { id },
            query: { limit: MAX_PAGE_SIZE, ...(cursor ? { cursor } : {}) },
          },
        );
        cells.push(...page.environments);
        cursor = page.next_cursor;
      } while (cursor && cells.length < MAX_CELLS);
      return { cells, isCut: cursor !== null };
    },
  });
