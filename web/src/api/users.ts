import { queryOptions } from "@tanstack/react-query";
import { getCurrentUser, getUser, listUsers, type Role, updateUser, type User } from "@versioner/client";

import { client } from "./client";
import { ifMatch, listOptions, MAX_PAGE_SIZE, PAGE_SIZE, type Revised } from "./lists";

/** The users of the account whose name or address contains the text, newest first. */
export const usersQuery = (q: string) =>
  listOptions<User>(["users", q], (page, signal) =>
    listUsers({ client, signal, query: { limit: PAGE_SIZE, ...(q ? { q } : {}), ...page } }),
  );

/** The users to choose from in a filter. */
export const userChoicesQuery = queryOptions({
  queryKey: ["users", "choices"],
  staleTime: 60_000,
  queryFn: async ({ signal }) => (await listUsers({ client, signal, query: { limit: MAX_PAGE_SIZE } })).items,
});

/** The identifier of the signed-in user. */
export const ownIdQuery = queryOptions({
  queryKey: ["users", "me"],
  staleTime: Number.POSITIVE_INFINITY,
  queryFn: async ({ signal }) => (await getCurrentUser({ client, signal })).user.id,
});

/** Reads a user with its revision. */
export async function loadUser(id: string): Promise<Revised<User>> {
  const { data, etag } = await getUser({ client, path: { id } }).answer();
  return { object: data, etag };
}

/** Assigns a role; null leaves it to the identity provider. */
export const assignRole = (id: string, role: Role | null, etag: string | undefined) =>
  updateUser({ client, path: { id }, body: { role }, ...ifMatch(etag) });
