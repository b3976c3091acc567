import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { usePermission } from "../../api/session";
import { ReadOnlyNote } from "../../components/no-permission";
import { Page } from "../../components/page";

const TABS: [path: string, text: string][] = [
  ["/notifications", "Channels"],
  ["/notifications/preferences", "Preferences"],
  ["/notifications/history", "History"],
];

/** The frame of the pages about notifications: their tabs, and what the role of the user does not permit. */
export function NotificationsFrame({
  page,
  actions,
  children,
}: {
  page: "Channels" | "Preferences" | "History";
  actions?: ReactNode;
  children: ReactNode;
}) {
  const mayWrite = usePermission("integrations.write");
  return (
    <Page
      title={page === "Channels" ? "Notifications" : `Notifications: ${page.toLowerCase()}`}
      lead="Messages about deployments and builds to Slack, by e-mail and to webhooks"
      actions={mayWrite ? actions : null}
    >
      <nav aria-label="Notifications" className="flex gap-1 border-b border-line">
        {TABS.map(([path, text]) => (
          <Link
            key={path}
            to={path}
            activeOptions={{ exact: true, includeSearch: false }}
            className="-mb-px flex min-h-9 items-center border-b-2 border-transparent px-3 text-muted hover:text-text aria-[current=page]:border-accent aria-[current=page]:font-medium aria-[current=page]:text-text"
          >
            {text}
          </Link>
        ))}
      </nav>
      <ReadOnlyNote permission="integrations.write" what="change, test or redeliver notifications" />
      {children}
    </Page>
  );
}
