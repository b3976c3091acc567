import { Link } from "@tanstack/react-router";

import { EmptyState } from "../components/states";
import { Page } from "../components/page";

/** An address without a page. */
export function NotFoundPage() {
  return (
    <Page title="Not found">
      <EmptyState title="There is no page with this address">
        <Link to="/" className="text-accent underline">
          Go to the overview
        </Link>
      </EmptyState>
    </Page>
  );
}
