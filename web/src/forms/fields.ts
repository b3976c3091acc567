import { ValidationError, type ValidationItem } from "@versioner/client";
import type { ComponentType } from "react";

import type { environmentNamesQuery, productNamesQuery } from "../api/names";
import { isObject, mergePatch } from "./merge-patch";

/** The texts of a form's fields. A list has an item on each line; a switch that is on has some text. */
export type Values = Readonly<Record<string, string>>;

export interface FormField {
  /** The member of the body that `bodyOf` and `patchOf` return; a member of an object in it has a path, such as `scope.products`. */
  name: string;
  label: string;
  /**
   * `number` is a whole number, `name` a text with suggestions, `names` a list of names, `checks` a list of choices, `check` a switch, and
   * `custom` has an input of its own.
   */
  kind: "text" | "number" | "area" | "json" | "choice" | "name" | "names" | "checks" | "check" | "custom";
  help?: string;
  isRequired?: boolean;
  choices?: Readonly<Record<string, string>>;
  maxLength?: number;
  type?: "url";
  placeholder?: string;
  suggestions?: typeof productNamesQuery | typeof environmentNamesQuery;
  /** The name that the server's messages have for the field, if it is another one. */
  member?: string;
  /** Whether the member is null when the field is empty. */
  isNullable?: boolean;
  /** The input of a custom field, the value that its text stands for, and the words for users. */
  custom?: {
    Input: ComponentType<CustomInputProps>;
    valueOf: (text: string) => unknown;
    wordsOf: (text: string) => string;
  };
}

export interface CustomInputProps {
  field: FormField;
  value: string;
  problem: string | undefined;
  /** The problems of the members of the value, by their path in it, such as `0.start`, and the failure that they are from. */
  inner: Problems;
  error: unknown;
  onChange: (text: string) => void;
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
    if (kind === "number" && !/^\s*(-?\d+\s*)?$/.test(text)) problems[name] = "Write a whole number.";
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
    const path = item.loc.slice(1);
    const field =
      fields.find(({ name, member = name }) => isBelow(path, member)) ??
      fields.find(({ name, member = name }) => path.includes(member));
    if (!field) continue;
    const isInner = field.custom !== undefined && path.length > field.name.split(".").length;
    const at = isInner ? path.join(".") : field.name;
    problems[at] ??= item.msg;
    if (problems[at] === item.msg) shown.push(item);
  }
  return { problems, shown };
}

/** Reports whether the path leads to the member or into it. */
const isBelow = (path: readonly (string | number)[], member: string) => `${path.join(".")}.`.startsWith(`${member}.`);

/** The problems of the members of a field's value, by their path in it. */
export function innerProblems(problems: Problems, name: string): Problems {
  const inner = Object.entries(problems).filter(([path]) => path.startsWith(`${name}.`));
  return Object.fromEntries(inner.map(([path, problem]) => [path.slice(name.length + 1), problem]));
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

function valueOf({ kind, isNullable, custom }: FormField, text: string): unknown {
  if (isNullable && text.trim() === "") return null;
  if (custom) return custom.valueOf(text);
  switch (kind) {
    case "number":
      return Number(text);
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
    if (text.trim() !== "") setMember(body, field.name, valueOf(field, text));
  }
  return body as Body;
}

/** Sets the member at the path, and makes the objects on the way. */
function setMember(body: Record<string, unknown>, path: string, value: unknown): void {
  const names = path.split(".");
  const last = names.pop() ?? path;
  let object = body;
  for (const name of names) object = (object[name] ??= {}) as Record<string, unknown>;
  object[last] = value;
}

/** The values of the form that have changed; null if there is none. */
export function patchOf<Body>(fields: readonly FormField[], before: Values, after: Values): Body | null {
  const patch: Record<string, unknown> = {};
  for (const field of fields) {
    const { name, kind } = field;
    const [old = "", text = ""] = [before[name], after[name]];
    if (kind === "json") {
      const inner = mergePatch(parseObject(old) ?? {}, parseObject(text) ?? {});
      if (inner) setMember(patch, name, inner);
    } else if (old !== text) setMember(patch, name, valueOf(field, text));
  }
  return Object.keys(patch).length > 0 ? (patch as Body) : null;
}
