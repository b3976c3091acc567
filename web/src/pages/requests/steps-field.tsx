import { useEffect, useId, useRef } from "react";
import { flushSync } from "react-dom";

import { Button } from "../../components/button";
import { SelectField, TextArea, TextField } from "../../components/field";
import { useRowFocus } from "../../components/use-row-focus";
import type { CustomInputProps, Problems } from "../../forms/fields";
import { useProblemsByKey } from "../../forms/use-problems-by-key";
import { PHASES } from "./request-texts";
import { draftsOf, type StepDraft, textOf } from "./step-drafts";

const MAX_STEPS = 50;
const STEP = "[role=group]";

/** The steps of a request or of a template, in their order. */
export function StepsField({ field, value, problem, inner, error, onChange }: CustomInputProps) {
  const drafts = draftsOf(value);
  const problems = useProblemsByKey(drafts, inner, error);
  const count = useRef(0);
  const fieldset = useRef<HTMLFieldSetElement>(null);
  const problemId = useId();
  const set = (next: readonly StepDraft[]) => onChange(textOf(next));
  const add = () => {
    const phase = drafts.at(-1)?.phase ?? "pre";
    set([...drafts, { key: `new ${count.current++}`, phase, title: "", description: "" }]);
  };
  /** Moves a step up, whose control loses the focus: the button to do it again gets it, or the first field, since the first step cannot move up. */
  const raise = (draft: StepDraft, index: number) => {
    flushSync(() => set(drafts.toSpliced(index, 1).toSpliced(index - 1, 0, draft)));
    const step = fieldset.current?.querySelectorAll(STEP)[index - 1];
    step?.querySelector<HTMLElement>(index > 1 ? "button" : "input")?.focus();
  };
  return (
    <fieldset ref={fieldset} className="flex flex-col gap-2" {...useRowFocus(fieldset, STEP, ":scope > button")}>
      <legend className="text-sm font-medium">{field.label}</legend>
      {field.help ? <p className="text-sm text-muted">{field.help}</p> : null}
      {drafts.map((draft, index) => (
        <StepInputs
          key={draft.key}
          draft={draft}
          position={index + 1}
          problems={problems[draft.key] ?? {}}
          onChange={(change) => set(drafts.map((one) => (one.key === draft.key ? { ...one, ...change } : one)))}
          onRaise={index > 0 ? () => raise(draft, index) : undefined}
          onRemove={() => set(drafts.toSpliced(index, 1))}
        />
      ))}
      {problem ? (
        <p id={problemId} className="text-sm text-bad">
          {problem}
        </p>
      ) : null}
      {drafts.length < MAX_STEPS ? (
        <Button
          className="self-start"
          aria-invalid={problem ? true : undefined}
          aria-describedby={problem ? problemId : undefined}
          onClick={add}
        >
          Add a step
        </Button>
      ) : (
        <p className="text-sm text-muted">These are as many steps as there can be.</p>
      )}
    </fieldset>
  );
}

interface StepInputsProps {
  draft: StepDraft;
  position: number;
  problems: Problems;
  onChange: (change: Partial<StepDraft>) => void;
  onRaise: (() => void) | undefined;
  onRemove: () => void;
}

function StepInputs({ draft, position, problems, onChange, onRaise, onRemove }: StepInputsProps) {
  const { key, phase, title, description } = draft;
  const label = `Step ${position}`;
  const ref = useRef<HTMLDivElement>(null);
  const isNew = key.startsWith("new");
  useEffect(() => {
    if (isNew) ref.current?.querySelector("input")?.focus();
  }, [isNew]);
  return (
    <div role="group" aria-label={label} ref={ref} className="flex flex-col gap-3 rounded-md border border-line p-3">
      <div className="grid gap-3 sm:grid-cols-[1fr_14rem]">
        <TextField
          label="What to do"
          value={title}
          maxLength={255}
          problem={problems["title"]}
          dir="auto"
          autoComplete="off"
          onChange={({ target }) => onChange({ title: target.value })}
        />
        <SelectField
          label="When"
          value={phase}
          problem={problems["phase"]}
          onChange={({ target }) => onChange({ phase: target.value as StepDraft["phase"] })}
        >
          {Object.entries(PHASES).map(([one, word]) => (
            <option key={one} value={one}>
              {word}
            </option>
          ))}
        </SelectField>
      </div>
      <TextArea
        label="Details"
        rows={2}
        value={description}
        maxLength={4096}
        problem={problems["description"]}
        dir="auto"
        onChange={({ target }) => onChange({ description: target.value })}
      />
      <div className="flex flex-wrap justify-end gap-2">
        {onRaise ? (
          <Button small kind="quiet" aria-label={`Move up ${label.toLowerCase()}`} onClick={onRaise}>
            Move up
          </Button>
        ) : null}
        <Button small kind="danger" aria-label={`Remove ${label.toLowerCase()}`} onClick={onRemove}>
          Remove
        </Button>
      </div>
    </div>
  );
}
