import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";

import type { Search } from "./lib/search";
import EnvironmentsPage from "./pages/environments/environments-page";
import { NotFoundPage } from "./pages/not-found";
import SignInPage from "./pages/sign-in/sign-in-page";
import { Shell } from "./shell/shell";
import { RouteError } from "./shell/route-error";

const rootRoute = createRootRoute({ component: Shell, notFoundComponent: NotFoundPage, errorComponent: RouteError });

const route = <Path extends string>(path: Path, load: () => Promise<{ default: React.ComponentType }>) =>
  createRoute({ getParentRoute: () => rootRoute, path, component: lazyRouteComponent(load) });

// One line for each page, which is loaded when it is first shown. The first page comes with the frame: that saves a request.
const routeTree = rootRoute.addChildren([
  createRoute({ getParentRoute: () => rootRoute, path: "/", component: EnvironmentsPage }),
  route("/deployments", () => import("./pages/deployments/deployments-page")),
  route("/deployments/$id", () => import("./pages/deployments/deployment-page")),
  createRoute({ getParentRoute: () => rootRoute, path: "/sign-in", component: SignInPage }),
  route("/signed-in", () => import("./pages/sign-in/signed-in-page")),
  route("/notifications", () => import("./pages/notifications/channels-page")),
  route("/notifications/preferences", () => import("./pages/notifications/preferences-page")),
  route("/notifications/history", () => import("./pages/notifications/history-page")),
  route("/settings/keys", () => import("./pages/settings/keys-page")),
  route("/settings/users", () => import("./pages/settings/users-page")),
  route("/settings/audit", () => import("./pages/settings/audit-page")),
  route("/settings/governance", () => import("./pages/settings/governance-page")),
  route("/settings/sessions", () => import("./pages/settings/sessions-page")),
  route("/products", () => import("./pages/products/products-page")),
  route("/products/$id", () => import("./pages/products/product-page")),
  route("/environments", () => import("./pages/environment-list/environment-list-page")),
  route("/environments/$id", () => import("./pages/environment-list/environment-page")),
  route("/versions", () => import("./pages/versions/versions-page")),
  route("/versions/$id", () => import("./pages/versions/version-page")),
  route("/builds", () => import("./pages/builds/builds-page")),
  route("/builds/$id", () => import("./pages/builds/build-page")),
  route("/releases", () => import("./pages/releases/releases-page")),
  route("/releases/$id", () => import("./pages/releases/release-page")),
  route("/deployment-requests", () => import("./pages/requests/requests-page")),
  route("/deployment-requests/templates", () => import("./pages/requests/templates-page")),
  route("/deployment-requests/$id", () => import("./pages/requests/request-page")),
  route("/rules", () => import("./pages/rules/rules-page")),
  route("/rules/$id", () => import("./pages/rules/rule-page")),
  route("/calendar", () => import("./pages/calendar/calendar-page")),
  route("/violations", () => import("./pages/governance/violations-page")),
  route("/break-glass", () => import("./pages/governance/grants-page")),
  route("/settings/buttons", () => import("./pages/templates/templates-page")),
  route("/start", () => import("./pages/start/start-page")),
]);

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
