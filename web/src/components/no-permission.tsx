import { useQuery } from "@tanstack/react-query";

import { sessionQuery } from "../api/session";
import { cx } from "../lib/cx";
import { Panel } from "./page";
import { EmptyState, SkeletonRows } from "./states";

interface PermissionProps {
  /** The permission that the user lacks, such as `products.write`. Until the user is known, nothing is claimed. */
  permission: string;
  /** What it permits, such as `edit or delete products`. */
  what: string;
}

/** Reports whether the user is known not to have the permission. */
function useLacks(permission: string): boolean {
  const { data } = useQuery(sessionQuery);
  return data !== undefined && !data.permissions.includes(permission);
}

/** Shown in place of what the role of the user may not view. */
export function NoPermission({ permission, what }: PermissionProps) {
  const isLacking = useLacks(permission);
  return (
    <Panel>
      {isLacking ? (
        <EmptyState title={`Your role may not ${what}`}>
          An administrator of the account can change your role, or do it for you.
        </EmptyState>
      ) : (
        <SkeletonRows rows={4} />
      )}
    </Panel>
  );
}

/** The reason why actions are absent that the role of the user does not permit; nothing for users who have them. */
export function ReadOnlyNote({ permission, what, isInPanel = false }: PermissionProps & { isInPanel?: boolean }) {
  if (!useLacks(permission)) return null;
  return <RoleNote isInPanel={isInPanel}>{`Your role may not ${what}: ask an administrator of the account.`}</RoleNote>;
}

/** A line about what the role of the user permits. */
export function RoleNote({ isInPanel = false, children }: { isInPanel?: boolean; children: string }) {
  return (
    <p
      role="note"
      className={cx(
        "text-sm text-muted",
        isInPanel ? "border-b border-line px-4 py-2" : "rounded-md border border-line bg-surface px-3 py-2",
      )}
    >
      {children}
    </p>
  );
}
