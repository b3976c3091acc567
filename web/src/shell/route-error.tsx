import type { ErrorComponentProps } from "@tanstack/react-router";

import { ErrorState } from "../components/states";

/** A page that failed to load or to render; after an upgrade of the server, its old parts are gone, and a reload gets the new ones. */
export function RouteError({ error }: ErrorComponentProps) {
  return <ErrorState error={error} onRetry={() => location.reload()} />;
}
