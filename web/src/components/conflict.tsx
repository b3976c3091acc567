import type { Conflict } from "../lib/use-edit";
import { Button } from "./button";

/** Shows that another user has changed the object since the form was opened: both versions, and the choice between them. */
export function ConflictNotice({ conflict, labels }: { conflict: Conflict | null; labels: Record<string, string> }) {
  if (!conflict) return null;
  const { theirs, yours, before } = conflict;
  const names = Object.keys(labels).filter((name) => theirs[name] !== before[name] || yours[name] !== before[name]);
  return (
    <section
      role="alert"
      aria-label="Changed by another user"
      className="flex flex-col gap-3 rounded-md border border-warn/40 bg-warn-soft p-3"
    >
      <p className="text-warn">
        Another user has saved a change since you opened this form. Nothing of yours is saved.
      </p>
      <dl className="flex flex-col gap-2 text-sm">
        {names.map((name) => (
          <div key={name} className="grid grid-cols-2 gap-x-4">
            <dt className="col-span-2 font-medium">{labels[name]}</dt>
            <Version label="Saved now">{theirs[name]}</Version>
            <Version label="Yours">{yours[name]}</Version>
          </div>
        ))}
      </dl>
      <div className="flex flex-wrap gap-2">
        <Button small onClick={conflict.takeTheirs}>
          Take the saved version
        </Button>
        <Button small onClick={conflict.overwrite}>
          Save mine over it
        </Button>
      </div>
    </section>
  );
}

function Version({ label, children }: { label: string; children: string | undefined }) {
  return (
    <dd className="min-w-0">
      <span className="block text-xs text-muted">{label}</span>
      <bdi className="whitespace-pre-line">{children || "(empty)"}</bdi>
    </dd>
  );
}
