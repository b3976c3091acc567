import { ValidationError, type ValidationItem } from "@versioner/client";

import type { environmentNamesQuery, productNamesQuery } from "../api/names";
import { isObject, mergePatch } from "./merge-patch";

/** The texts of a form's fields. A list has an item on each line; a switch that is on has some text. */
export type Values = Readonly<Record<string, string>>;

export interface FormField {
  /** The member of the body that `bodyOf` and `patchOf` return. */
  name: string;
  label: string;
  /** `name` is a text with suggestions, `names` a list of names, `checks` a list of choices, and `check` a switch. */
  kind: "text" | "area" | "json" | "choice" | "name" | "names" | "checks" | "check";
  help?: string;
  isRequired?: boolean;
  choices?: Readonly<Record<string, string>>;
  maxLength?: number;
  type?: "url";
  placeholder?: string;
  suggestions?: typeof productNamesQuery | typeof environmentNamesQuery;
  /** The name that the server's messages have for the field, if it is another one. */
  member?: string;
}

/** The fields of a form, which may depend on their values. */
export type FormFields = readonly FormField[] | ((values: Values) => readonly FormField[]);

/** A problem of one field that was found when the form was sent. */
export class FieldProblem extends Error {
  constructor(
    readonly field: string,
    message: string,
  ) {
    super(message);
  }
}

/** What is wrong with the fields, by name. */
export type Problems = Readonly<Record<string, string>>;

export const linesOf = (text: string | undefined) => (text ?? "").split("\n").filter(Boolean);

/** The problems that the page finds by itself: the server finds the others. */
export function problemsOf(fields: readonly FormField[], values: Values): Problems {
  const problems: Record<string, string> = {};
  for (const { name, kind, isRequired } of fields) {
    const text = values[name] ?? "";
    if (isRequired && text.trim() === "") problems[name] = "This field is required.";
    if (kind === "json" && parseObject(text) === null)
      problems[name] = 'Write a JSON object, such as {"team": "shop"}.';
  }
  return problems;
}

/** The problems of fields that sending the form has found, and the server's messages that they repeat. */
export function sendingProblems(
  fields: readonly FormField[],
  error: unknown,
): { problems: Problems; shown: readonly ValidationItem[] } {
  if (error instanceof FieldProblem) return { problems: { [error.field]: error.message }, shown: [] };
  const problems: Record<string, string> = {};
  const shown: ValidationItem[] = [];
  for (const item of error instanceof ValidationError ? error.problems : []) {
    const field = fields.find(({ name, member = name }) => item.loc.slice(1).includes(member));
    if (!field) continue;
    problems[field.name] ??= item.msg;
    if (problems[field.name] === item.msg) shown.push(item);
  }
  return { problems, shown };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  if (text.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

export const jsonText = (value: Readonly<Record<string, unknown>>) =>
  Object.keys(value).length === 0 ? "" : JSON.stringify(value, null, 2);

function valueOf({ kind }: FormField, text: string): unknown {
  switch (kind) {
    case "json":
      return parseObject(text);
    case "names":
    case "checks":
      return linesOf(text);
    case "check":
      return text !== "";
    default:
      return text;
  }
}

/** The values of the form that are not empty. */
export function bodyOf<Body>(fields: readonly FormField[], values: Values): Body {
  const body: Record<string, unknown> = {};
  for (const field of fields) {
    const text = values[field.name] ?? "";
    if (text.trim() !== "") body[field.name] = valueOf(field, text);
  }
  return body as Body;
}

/** The values of the form that have changed; null if there is none. */
export function patchOf<Body>(fields: readonly FormField[], before: Values, after: Values): Body | null {
  const patch: Record<string, unknown> = {};
  for (const field of fields) {
    const { name, kind } = field;
    const [old = "", text = ""] = [before[name], after[name]];
    if (kind === "json") {
      const inner = mergePatch(parseObject(old) ?? {}, parseObject(text) ?? {});
      if (inner) patch[name] = inner;
    } else if (old !== text) patch[name] = valueOf(field, text);
  }
  return Object.keys(patch).length > 0 ? (patch as Body) : null;
}
