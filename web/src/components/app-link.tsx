import { Link } from "@tanstack/react-router";
import type { ComponentProps } from "react";

import type { Search } from "../lib/search";

interface AppLinkProps extends Omit<ComponentProps<"a">, "href"> {
  /** The path of a page, such as `/deployments/ID`. */
  to: string;
  search?: Search;
}

/** A link to a page of the dashboard. */
export function AppLink({ to, search, ...props }: AppLinkProps) {
  return <Link {...(props as object)} to={to as "/"} search={(search ?? {}) as never} />;
}
