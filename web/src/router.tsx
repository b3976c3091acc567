import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";

import { NotFoundPage } from "./pages/not-found";
import { Shell } from "./shell/shell";
import { RouteError } from "./shell/route-error";

const rootRoute = createRootRoute({ component: Shell, notFoundComponent: NotFoundPage, errorComponent: RouteError });

/** The parameters in the address: every page reads its filters from there as texts, and ignores what it does not know. */
export type Search = Record<string, string | undefined>;

const route = <Path extends string>(path: Path, load: () => Promise<{ default: React.ComponentType }>) =>
  createRoute({ getParentRoute: () => rootRoute, path, component: lazyRouteComponent(load) });

// One line for each page, which is loaded when it is first shown.
const routeTree = rootRoute.addChildren([route("/", () => import("./pages/environments/environments-page"))]);

/** Texts are written and read as they are: a version named 1.10 stays one. */
function parseSearch(text: string): Search {
  return Object.fromEntries(new URLSearchParams(text));
}

function stringifySearch(search: Record<string, unknown>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    if (typeof value === "string" && value !== "") parameters.set(name, value);
  }
  const text = parameters.toString();
  return text && `?${text}`;
}

export const router = createRouter({
  routeTree,
  basepath: new URL(document.baseURI).pathname,
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
