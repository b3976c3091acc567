import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";

import { environmentNamesQuery, productNamesQuery } from "../api/names";
import { Button } from "./button";
import { SelectField, TextField } from "./field";

/** The filters of a list, with a button that removes them. */
export function FilterBar({
  isFiltered,
  onClear,
  children,
}: {
  isFiltered: boolean;
  onClear: () => void;
  children: ReactNode;
}) {
  return (
    <div role="search" aria-label="Filters" className="flex flex-wrap items-end gap-2">
      {children}
      {isFiltered ? (
        <Button kind="quiet" onClick={onClear}>
          Clear
        </Button>
      ) : null}
    </div>
  );
}

interface TextFilterProps {
  label: string;
  value: string | undefined;
  onChange: (value: string) => void;
  className?: string;
  /** Whether `/` moves the focus here. */
  isMain?: boolean;
  suggestions?: readonly string[];
  onInput?: (text: string) => void;
}

/** How long after the last key a filter applies. */
const DELAY = 400;

/** A filter by text, which applies a moment after the last key, and at once with Enter. */
export function TextFilter({ label, value = "", onChange, className, isMain, suggestions, onInput }: TextFilterProps) {
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const listId = useId();
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const apply = (next: string) => {
    clearTimeout(timer.current);
    if (next.trim() !== value) onChange(next.trim());
  };
  return (
    <>
      <TextField
        label={label}
        hideLabel
        type="search"
        placeholder={label}
        className={className ?? "w-[calc(50%-0.25rem)] sm:w-44"}
        {...(isMain ? { "data-filter": true } : {})}
        {...(suggestions ? { list: listId, autoComplete: "off" } : {})}
        value={text}
        onChange={(event) => {
          const next = event.target.value;
          setText(next);
          onInput?.(next);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => apply(next), DELAY);
        }}
        onKeyDown={(event) => event.key === "Enter" && apply(text)}
      />
      {suggestions ? (
        <datalist id={listId}>
          {suggestions.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      ) : null}
    </>
  );
}

type NameFilterProps = Omit<TextFilterProps, "label" | "suggestions" | "onInput">;

/** A filter by the whole name of a product, with the names that contain what is typed. */
export function ProductFilter(props: NameFilterProps) {
  const [text, setText] = useState("");
  const { data } = useQuery({ ...productNamesQuery(text), placeholderData: keepPreviousData });
  return <TextFilter {...props} label="Product" suggestions={data ?? []} onInput={setText} />;
}

/** A filter by the whole name of an environment. */
export function EnvironmentFilter(props: NameFilterProps) {
  const [text, setText] = useState("");
  const { data } = useQuery({ ...environmentNamesQuery(text), placeholderData: keepPreviousData });
  return <TextFilter {...props} label="Environment" suggestions={data ?? []} onInput={setText} />;
}

/** A filter by one of a few values. */
export function ChoiceFilter({
  label,
  any,
  value,
  choices,
  onChange,
}: {
  label: string;
  any: string;
  value: string | undefined;
  choices: Readonly<Record<string, string>>;
  onChange: (value: string) => void;
}) {
  return (
    <SelectField
      label={label}
      hideLabel
      className="w-[calc(50%-0.25rem)] sm:w-36"
      value={value ?? ""}
      onChange={(event) => onChange(event.target.value)}
    >
      <option value="">{any}</option>
      {Object.entries(choices).map(([choice, word]) => (
        <option key={choice} value={choice}>
          {word}
        </option>
      ))}
      {value && !(value in choices) ? <option value={value}>{value}</option> : null}
    </SelectField>
  );
}

/** A filter by a time, in the zone of the browser; the address has it in RFC 3339. */
export function TimeFilter({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string | undefined;
  onChange: (value: string) => void;
}) {
  return (
    <TextField
      label={label}
      type="datetime-local"
      className="w-full sm:w-52"
      value={localTime(value)}
      onChange={(event) => {
        const time = Date.parse(event.target.value);
        onChange(Number.isNaN(time) ? "" : new Date(time).toISOString());
      }}
    />
  );
}

/** A time as `datetime-local` fields have it. */
function localTime(value: string | undefined): string {
  const time = value ? new Date(value) : null;
  if (!time || Number.isNaN(time.getTime())) return "";
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export const STATUS_CHOICES = {
  pending: "Pending",
  started: "In progress",
  completed: "Completed",
  failed: "Failed",
  aborted: "Aborted",
} as const;
