import { EmptyState } from "./states";
import { Panel } from "./page";

/** Shown in place of what the role of the user may not view or do. */
export function NoPermission({ what }: { what: string }) {
  return (
    <Panel>
      <EmptyState title={`Your role may not ${what}`}>
        An administrator of the account can change your role, or do it for you.
      </EmptyState>
    </Panel>
  );
}

/** A line about actions that the role of the user does not have. */
export function ReadOnlyNote({ what }: { what: string }) {
  return (
    <p role="note" className="rounded-md border border-line bg-surface px-3 py-2 text-sm text-muted">
      Your role may not {what}: ask an administrator of the account.
    </p>
  );
}
