import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

/** The parameters of the page's address. */
export type Search = Record<string, string | undefined>;

/**
 * The filters of a page, which are the parameters of its address, and a function that changes some of them. An absent or empty value
 * removes a filter. Changes replace the entry of the history unless `push` is set, so that Back leaves the page.
 */
export function useFilters(): [Search, (changes: Search, push?: boolean) => void] {
  const search: Search = useSearch({ strict: false });
  const navigate = useNavigate();
  const change = useCallback(
    (changes: Search, push = false) =>
      void navigate({ to: ".", search: (before: Search) => ({ ...before, ...changes }), replace: !push } as Parameters<
        typeof navigate
      >[0]),
    [navigate],
  );
  return [search, change];
}
