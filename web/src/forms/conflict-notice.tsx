import { useEffect, useRef } from "react";

import { Button } from "../components/button";
import { type FormField, linesOf, type Values } from "./fields";

interface ConflictNoticeProps {
  fields: readonly FormField[];
  /** The values when the form was opened, those saved since, and those of the form. */
  before: Values;
  saved: Values;
  mine: Values;
  busy: boolean;
  onTake: () => void;
  onOverwrite: () => void;
}

/** Shows that another user has changed the object since the form was opened: both versions, and the choice between them. */
export function ConflictNotice({ fields, before, saved, mine, busy, onTake, onOverwrite }: ConflictNoticeProps) {
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    ref.current?.scrollIntoView({ block: "nearest" }); // it is below the fields of long forms
  }, []);
  const different = fields.filter(({ name }) => saved[name] !== mine[name]);
  return (
    <section
      ref={ref}
      role="alert"
      aria-label="Changed by another user"
      className="flex flex-col gap-3 rounded-md border border-warn/40 bg-warn-soft p-3"
    >
      <p className="text-warn">
        Another user has saved a change since you opened this form. Nothing of yours is saved.
        {different.length === 0 ? " What they saved equals what the form has." : null}
      </p>
      <dl className="flex flex-col gap-2 text-sm">
        {different.map((field) => (
          <div key={field.name} className="grid grid-cols-2 gap-x-4">
            <dt className="col-span-2 font-medium">{field.label}</dt>
            <Side label="Saved now" text={textOf(field, saved)} />
            <Side
              label={before[field.name] === mine[field.name] ? "When you opened it" : "Yours"}
              text={textOf(field, mine)}
            />
          </div>
        ))}
      </dl>
      <div className="flex flex-wrap gap-2">
        <Button small onClick={onTake}>
          Take the saved version
        </Button>
        <Button small busy={busy} onClick={onOverwrite}>
          Save my changes over it
        </Button>
      </div>
    </section>
  );
}

function textOf({ name, choices, custom }: FormField, values: Values): string {
  if (custom) return custom.wordsOf(values[name] ?? "");
  const words = linesOf(values[name]).map((text) => choices?.[text] ?? text);
  return words.join("\n") || (choices?.[""] ?? "(empty)");
}

function Side({ label, text }: { label: string; text: string }) {
  return (
    <dd className="min-w-0">
      <span className="block text-xs text-muted">{label}</span>
      <bdi className="whitespace-pre-line">{text}</bdi>
    </dd>
  );
}
