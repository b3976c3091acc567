import { queryOptions, useQuery } from "@tanstack/react-query";
import { getCurrentUser } from "@versioner/client";

import { client } from "./client";

export const currentUserQuery = queryOptions({
  queryKey: ["current-user"],
  queryFn: ({ signal }) => getCurrentUser({ client, signal }),
  staleTime: 60_000,
});

/** Reports whether the user has the permission, such as `products.write`. Until the user is known, it is false. */
export function usePermission(permission: string): boolean {
  const { data } = useQuery(currentUserQuery);
  return data?.permissions.includes(permission) ?? false;
}
