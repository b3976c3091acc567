import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ConnectionFailed, Unauthenticated, Unavailable, VersionerError } from "@versioner/client";

import { connection } from "../lib/connection";
import { requireSignIn } from "../lib/sign-in-state";

/** Reports whether the failure is one of the server or the network, not of the request. */
export function isAway(error: unknown): boolean {
  return (
    error instanceof ConnectionFailed ||
    error instanceof Unavailable ||
    (error instanceof VersionerError && (error.status ?? 0) >= 500)
  );
}

function asksToWait(error: unknown): boolean {
  return error instanceof Unavailable && error.retryAfter !== undefined;
}

function onError(error: unknown): void {
  if (error instanceof Unauthenticated) requireSignIn();
  if (isAway(error)) connection.failed();
}

export const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError, onSuccess: () => connection.succeeded() }),
  mutationCache: new MutationCache({ onError, onSuccess: () => connection.succeeded() }),
  defaultOptions: {
    queries: {
      // The session may have been renewed since: 401 is tried once more. A wait that the server requests is left to the next poll.
      retry: (failures, error) =>
        failures < 1 && (error instanceof Unauthenticated || (isAway(error) && !asksToWait(error))),
      retryDelay: 500,
      staleTime: 2_000,
      networkMode: "always",
      refetchOnWindowFocus: true,
    },
    mutations: {
      retry: (failures, error) => failures < 1 && error instanceof Unauthenticated,
      networkMode: "always",
    },
  },
});
