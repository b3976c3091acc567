import { type KeyboardEvent, useId, useRef, useState } from "react";

import { Button } from "../components/button";
import { TextField } from "../components/field";
import { CloseIcon } from "../components/icons";
import { useRowFocus } from "../components/use-row-focus";

/** A field for several names: Enter or the button adds the typed one. */
export function NamesField({
  label,
  help,
  problem,
  names,
  placeholder = "All",
  suggestions,
  onText,
  onChange,
}: {
  label: string;
  help?: string | undefined;
  problem?: string | undefined;
  names: readonly string[];
  /** What an empty list means. */
  placeholder?: string | undefined;
  suggestions: readonly string[];
  /** Called with the typed text, to find suggestions. */
  onText: (text: string) => void;
  onChange: (names: string[]) => void;
}) {
  const [text, setText] = useState("");
  const listId = useId();
  const root = useRef<HTMLDivElement>(null);
  const type = (next: string) => {
    setText(next);
    onText(next);
  };
  const add = () => {
    const name = text.trim();
    if (name && !names.includes(name)) onChange([...names, name]);
    type("");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !text.trim()) return;
    event.preventDefault();
    add();
  };
  return (
    <div ref={root} className="flex flex-col gap-1.5" {...useRowFocus(root, "li", "input")}>
      <div className="flex items-end gap-2">
        <TextField
          label={label}
          className="grow"
          list={listId}
          autoComplete="off"
          maxLength={255}
          placeholder={names.length === 0 ? placeholder : "Another one"}
          problem={problem}
          value={text}
          onChange={(event) => type(event.target.value)}
          onKeyDown={onKeyDown}
          onBlur={add}
        />
        <Button
          aria-label={`Add to ${label.toLowerCase()}`}
          onMouseDown={(event) => event.preventDefault()} // else the blur adds the name, and the dialog moves the button before the click
          onClick={() => {
            add();
            root.current?.querySelector("input")?.focus();
          }}
        >
          Add
        </Button>
      </div>
      {help ? <p className="text-sm text-muted">{help}</p> : null}
      <datalist id={listId}>
        {suggestions.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      {/* As high as a row of names, so that the first one, which leaving the field adds, moves nothing from under the pointer. */}
      <div className="min-h-7">
        {names.length > 0 ? (
          <ul aria-label={label} className="flex flex-wrap gap-1.5">
            {names.map((name) => (
              <li
                key={name}
                className="flex min-w-0 items-center gap-1 rounded-md bg-accent-soft pl-2 text-sm text-accent"
              >
                <bdi>{name}</bdi>
                <Button
                  small
                  kind="quiet"
                  aria-label={`Remove ${name}`}
                  onClick={() => onChange(names.filter((one) => one !== name))}
                >
                  <CloseIcon className="size-3" />
                </Button>
              </li>
            ))}
          </ul>
        ) : null}
      </div>
    </div>
  );
}
