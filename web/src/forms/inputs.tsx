import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type ComponentProps, useId, useState } from "react";

import { CheckField, SelectField, TextArea, TextField } from "../components/field";
import { type FormField, innerProblems, linesOf, type Problems } from "./fields";
import { NamesField } from "./names-field";
import type { useFields } from "./use-fields";

/** The fields of a form. */
export function Inputs({ form: { fields, values, problems, error, change } }: { form: ReturnType<typeof useFields> }) {
  return fields.map((field) => (
    <Input
      key={field.name}
      field={field}
      value={values[field.name] ?? ""}
      problem={problems[field.name]}
      inner={field.custom ? innerProblems(problems, field.name) : {}}
      error={error}
      onChange={(text) => change(field.name, text)}
    />
  ));
}

interface InputProps {
  field: FormField;
  value: string;
  problem: string | undefined;
  inner: Problems;
  error: unknown;
  onChange: (text: string) => void;
}

function Input({ field, value, problem, inner, error, onChange }: InputProps) {
  const { label, kind, help, choices = {}, isRequired, maxLength, type, placeholder } = field;
  const common = {
    label,
    help,
    problem,
    value,
    "aria-required": isRequired,
    onChange: (event: { target: { value: string } }) => onChange(event.target.value),
  };
  if (field.custom) return <field.custom.Input {...{ field, value, problem, inner, error, onChange }} />;
  switch (kind) {
    case "number":
      return <TextField {...common} {...{ maxLength, placeholder }} inputMode="numeric" autoComplete="off" />;
    case "choice":
      return (
        <SelectField {...common}>
          {Object.entries(choices).map(([choice, word]) => (
            <option key={choice} value={choice}>
              {word}
            </option>
          ))}
        </SelectField>
      );
    case "name":
      return <NameInput {...common} field={field} />;
    case "names":
      return (
        <NamesInput {...{ field, problem }} names={linesOf(value)} onChange={(names) => onChange(names.join("\n"))} />
      );
    case "checks":
      return (
        <Checks
          {...{ label, help, problem, choices }}
          chosen={linesOf(value)}
          onChange={(chosen) => onChange(chosen.join("\n"))}
        />
      );
    case "check":
      return <CheckField label={label} isChecked={value !== ""} onChange={(isOn) => onChange(isOn ? "on" : "")} />;
    case "text":
      return <TextField {...common} {...{ maxLength, type, placeholder }} dir="auto" autoComplete="off" />;
    default:
      return (
        <TextArea
          {...common}
          maxLength={maxLength}
          rows={kind === "json" ? 5 : 3}
          dir="auto"
          spellCheck={kind !== "json"}
        />
      );
  }
}

interface NamesInputProps {
  field: FormField;
  problem: string | undefined;
  names: readonly string[];
  onChange: (names: string[]) => void;
}

function NamesInput({ field, problem, names, onChange }: NamesInputProps) {
  const { label, help, placeholder, suggestions } = field;
  const [text, setText] = useState("");
  const found = useSuggestions(suggestions, text);
  return (
    <NamesField {...{ label, help, problem, names, placeholder, onChange }} suggestions={found} onText={setText} />
  );
}

function useSuggestions(suggestions: FormField["suggestions"], text: string): readonly string[] {
  const { data } = useQuery({
    queryKey: ["names"],
    queryFn: () => [],
    enabled: suggestions !== undefined,
    ...suggestions?.(text),
    placeholderData: keepPreviousData,
  });
  return data ?? [];
}

interface NameInputProps extends Omit<ComponentProps<typeof TextField>, "value"> {
  field: FormField;
  value: string;
}

/** A text with suggestions while it is typed. */
function NameInput({ field: { suggestions, maxLength, placeholder }, ...props }: NameInputProps) {
  const id = useId();
  const found = useSuggestions(suggestions, props.value);
  return (
    <div>
      <TextField {...props} {...{ maxLength, placeholder }} list={id} dir="auto" autoComplete="off" />
      <datalist id={id}>
        {found.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </div>
  );
}

interface ChecksProps {
  label: string;
  help: string | undefined;
  problem: string | undefined;
  choices: Readonly<Record<string, string>>;
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
}

function Checks({ label, help, problem, choices, chosen, onChange }: ChecksProps) {
  const all = Object.entries(choices);
  return (
    <fieldset>
      <legend className="text-sm font-medium">{label}</legend>
      <div className="flex flex-wrap gap-x-4">
        {all.map(([choice, word]) => (
          <CheckField
            key={choice}
            label={word}
            isChecked={chosen.includes(choice)}
            onChange={(isOn) =>
              onChange(all.map(([one]) => one).filter((one) => (one === choice ? isOn : chosen.includes(one))))
            }
          />
        ))}
      </div>
      {help ? <p className="text-sm text-muted">{help}</p> : null}
      {problem ? <p className="text-sm text-bad">{problem}</p> : null}
    </fieldset>
  );
}
