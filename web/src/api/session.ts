import { queryOptions, useQuery } from "@tanstack/react-query";
import { getSession, listSignInProviders, type SignInProvider, signOut } from "@versioner/client";

import { client, serverURL } from "./client";

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: ({ signal }) => getSession({ client, signal }),
  staleTime: 60_000,
  refetchInterval: 600_000,
});

export const providersQuery = queryOptions({
  queryKey: ["sign-in-providers"],
  queryFn: async ({ signal }) => (await listSignInProviders({ client, signal })).providers,
  staleTime: 60_000,
});

/** Reports whether the user has the permission, such as `products.write`. Until the user is known, it is false. */
export function usePermission(permission: string): boolean {
  const { data } = useQuery(sessionQuery);
  return data?.permissions.includes(permission) ?? false;
}

/** Where the browser navigates to sign in, and which page of the dashboard, such as `/deployments`, it returns to. */
export function signInURL(provider: SignInProvider, page: string): string {
  const url = new URL(provider.url, `${serverURL}/`);
  if (provider.type !== "external") url.searchParams.set("return_to", `/app${page}`);
  return url.href;
}

/** Signs in at a development server, which needs no identity provider. */
export async function signInForDevelopment(provider: SignInProvider): Promise<void> {
  // The answer is a redirect, which is not followed: the cookie is all that is needed.
  const answer = await fetch(signInURL(provider, "/"), {
    method: "POST",
    credentials: "same-origin",
    redirect: "manual",
  });
  if (answer.type !== "opaqueredirect") throw new Error(`The server refused the sign-in (${answer.status}).`);
}

/** Ends the session and navigates to the page that the server names. */
export async function endSession(): Promise<void> {
  const { redirect_url } = await signOut({ client });
  location.assign(new URL(redirect_url, `${serverURL}/`));
}
