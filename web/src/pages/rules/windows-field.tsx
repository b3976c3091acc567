import { useEffect, useRef, useState } from "react";

import { Button } from "../../components/button";
import { CheckField, SelectField, TextField } from "../../components/field";
import { useRowFocus } from "../../components/use-row-focus";
import type { CustomInputProps, Problems } from "../../forms/fields";
import { useProblemsByKey } from "../../forms/use-problems-by-key";
import { monthChoices, type Recurrence, WEEKDAYS } from "./recurrence";
import { draftsOf, draftsWords, newDraft, type WindowDraft } from "./window-drafts";

/** The windows of a schedule, each of which can be opened. Those with a problem are open. */
export function WindowsField({ field, value, problem, inner, error, onChange }: CustomInputProps) {
  const drafts = draftsOf(value);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set(drafts.length === 1 ? ["0"] : []));
  const count = useRef(0);
  const fieldset = useRef<HTMLFieldSetElement>(null);
  const problems = useProblemsByKey(drafts, inner, error);
  const set = (next: readonly WindowDraft[]) => onChange(next.length === 0 ? "" : JSON.stringify(next));
  const toggle = (key: string, isOpen: boolean) =>
    setOpen((before) => new Set(isOpen ? [...before, key] : [...before].filter((one) => one !== key)));
  const add = () => {
    const draft = newDraft(count.current++);
    toggle(draft.key, true);
    set([...drafts, draft]);
  };
  return (
    <fieldset
      ref={fieldset}
      className="flex flex-col gap-2"
      {...useRowFocus(fieldset, "[role=group]", ":scope > button")}
    >
      <legend className="text-sm font-medium">{field.label}</legend>
      {field.help ? <p className="text-sm text-muted">{field.help}</p> : null}
      {drafts.map((draft, index) => (
        <WindowField
          key={draft.key}
          draft={draft}
          position={index + 1}
          problems={problems[draft.key] ?? {}}
          isOpen={open.has(draft.key)}
          onToggle={(isOpen) => toggle(draft.key, isOpen)}
          onChange={(change) => set(drafts.map((one) => (one.key === draft.key ? { ...one, ...change } : one)))}
          onRemove={() => set(drafts.filter(({ key }) => key !== draft.key))}
        />
      ))}
      {problem ? <p className="text-sm text-bad">{problem}</p> : null}
      <Button className="self-start" aria-invalid={problem ? true : undefined} onClick={add}>
        Add a window
      </Button>
    </fieldset>
  );
}

interface WindowFieldProps {
  draft: WindowDraft;
  position: number;
  problems: Problems;
  isOpen: boolean;
  onToggle: (isOpen: boolean) => void;
  onChange: (change: Partial<WindowDraft>) => void;
  onRemove: () => void;
}

function WindowField({ draft, position, problems, isOpen, onToggle, onChange, onRemove }: WindowFieldProps) {
  const hasProblem = Object.keys(problems).length > 0;
  const isShown = isOpen || hasProblem;
  const name = draft.name.trim() || `Window ${position}`;
  const ref = useRef<HTMLDivElement>(null);
  const isNew = draft.key.startsWith("new");
  useEffect(() => {
    if (isNew) ref.current?.querySelector("input")?.focus();
  }, [isNew]);
  return (
    <div role="group" aria-label={name} className="rounded-md border border-line" ref={ref}>
      <div className="flex items-center gap-2 px-3 py-1.5">
        <button
          type="button"
          aria-expanded={isShown}
          disabled={hasProblem}
          className="flex min-h-7 min-w-0 grow items-center gap-2 text-left"
          onClick={() => onToggle(!isOpen)}
        >
          <span aria-hidden="true">{isShown ? "▾" : "▸"}</span>
          <bdi className="min-w-0 truncate font-medium">{name}</bdi>
          {isShown ? null : <span className="min-w-0 truncate text-sm text-muted">{summary(draft)}</span>}
        </button>
        <Button small kind="danger" aria-label={`Remove ${name}`} onClick={onRemove}>
          Remove
        </Button>
      </div>
      {isShown ? <Inputs {...{ draft, problems, onChange }} /> : null}
    </div>
  );
}

const summary = (draft: WindowDraft) => draftsWords(JSON.stringify([draft])).slice(draft.name.length + 2);

type InputsProps = Pick<WindowFieldProps, "draft" | "problems" | "onChange">;

function Inputs({ draft, problems, onChange }: InputsProps) {
  return (
    <div className="grid gap-3 border-t border-line p-3 sm:grid-cols-2">
      <TextField
        label="Name of the window"
        value={draft.name}
        maxLength={100}
        problem={problems["name"]}
        autoComplete="off"
        onChange={({ target }) => onChange({ name: target.value })}
      />
      <SelectField
        label="Effect"
        value={draft.effect}
        problem={problems["effect"]}
        onChange={({ target }) => onChange({ effect: target.value as WindowDraft["effect"] })}
      >
        <option value="deny">Deny: no deployments in it</option>
        <option value="allow">Allow: no deployments outside of it</option>
      </SelectField>
      <TextField
        label="Start"
        type="datetime-local"
        value={draft.start}
        problem={problems["start"]}
        onChange={({ target }) => onChange({ start: target.value })}
      />
      <TextField
        label="End"
        type="datetime-local"
        value={draft.end}
        problem={problems["end"]}
        onChange={({ target }) => onChange({ end: target.value })}
      />
      <RecurrenceInputs {...{ draft, problems, onChange }} />
      <TextField
        label="Reason"
        className="sm:col-span-2"
        value={draft.reason}
        maxLength={500}
        problem={problems["reason"]}
        help="For those whose deployment is blocked."
        onChange={({ target }) => onChange({ reason: target.value })}
      />
    </div>
  );
}

const REPEATS: Readonly<Record<Recurrence["repeat"], string>> = {
  never: "Never",
  DAILY: "Daily",
  WEEKLY: "Weekly",
  MONTHLY: "Monthly",
  YEARLY: "Yearly",
  other: "As an RRULE says",
};

const UNITS = { DAILY: "days", WEEKLY: "weeks", MONTHLY: "months", YEARLY: "years" } as const;

function RecurrenceInputs({ draft, problems, onChange }: InputsProps) {
  const { repeat, every, days, monthBy, until, start } = draft;
  const problem = problems["rrule"];
  return (
    <>
      <SelectField
        label="Repeats"
        value={repeat}
        problem={repeat === "other" ? undefined : problem}
        onChange={({ target }) => onChange({ repeat: target.value as Recurrence["repeat"] })}
      >
        {Object.entries(REPEATS).map(([value, word]) => (
          <option key={value} value={value}>
            {word}
          </option>
        ))}
      </SelectField>
      {repeat === "never" ? <span className="max-sm:hidden" /> : null}
      {repeat === "other" ? (
        <TextField
          label="RRULE"
          value={draft.rrule}
          maxLength={500}
          problem={problem}
          placeholder="FREQ=WEEKLY;BYDAY=FR"
          help="In the syntax of RFC 5545. The window starts on one of its days."
          autoComplete="off"
          spellCheck={false}
          onChange={({ target }) => onChange({ rrule: target.value })}
        />
      ) : null}
      {repeat === "never" || repeat === "other" ? null : (
        <TextField
          label={`Every how many ${UNITS[repeat]}`}
          inputMode="numeric"
          maxLength={2}
          value={every}
          onChange={({ target }) => onChange({ every: target.value })}
        />
      )}
      {repeat === "WEEKLY" ? <Days days={days} onChange={(next) => onChange({ days: next })} /> : null}
      {repeat === "MONTHLY" ? (
        <SelectField
          label="Each month"
          value={monthBy}
          onChange={({ target }) => onChange({ monthBy: target.value as Recurrence["monthBy"] })}
        >
          {Object.entries(monthChoices(start)).map(([value, word]) => (
            <option key={value} value={value}>
              {word}
            </option>
          ))}
        </SelectField>
      ) : null}
      {repeat === "never" || repeat === "other" ? null : (
        <TextField
          label="Until"
          type="date"
          value={until}
          help="The last day on which it may start; empty: endless."
          onChange={({ target }) => onChange({ until: target.value })}
        />
      )}
      {repeat === "never" ? null : (
        <TextField
          label="Except on"
          value={draft.exdates}
          problem={problems["exdates"]}
          placeholder="2026-12-25, 2026-12-26"
          help="Dates on which it does not start."
          autoComplete="off"
          onChange={({ target }) => onChange({ exdates: target.value })}
        />
      )}
    </>
  );
}

function Days({ days, onChange }: { days: readonly string[]; onChange: (days: string[]) => void }) {
  return (
    <fieldset className="sm:col-span-2">
      <legend className="text-sm font-medium">On</legend>
      <div className="flex flex-wrap gap-x-4">
        {Object.entries(WEEKDAYS).map(([day, word]) => (
          <CheckField
            key={day}
            label={word}
            isChecked={days.includes(day)}
            onChange={(isOn) => onChange(isOn ? [...days, day] : days.filter((one) => one !== day))}
          />
        ))}
      </div>
      <p className="text-sm text-muted">
        The window starts on one of them. Without a day, it is the weekday of its start.
      </p>
    </fieldset>
  );
}
