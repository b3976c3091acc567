import { ValidationError } from "@versioner/client";

import { isObject, mergePatch } from "./merge-patch";

/** The texts of a form's fields. */
export type Values = Readonly<Record<string, string>>;

export interface FormField {
  /** The member of the request's body. */
  name: string;
  label: string;
  kind: "text" | "area" | "json" | "choice";
  help?: string;
  isRequired?: boolean;
  choices?: Readonly<Record<string, string>>;
}

/** What is wrong with the fields, by name. */
export type Problems = Readonly<Record<string, string>>;

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

/** The problems of fields that the server found, and whether these are all. */
export function serverProblems(
  fields: readonly FormField[],
  error: unknown,
): { problems: Problems; isComplete: boolean } {
  if (!(error instanceof ValidationError)) return { problems: {}, isComplete: false };
  const problems: Record<string, string> = {};
  let isComplete = true;
  for (const { loc, msg } of error.problems) {
    const name = fields.find((field) => loc[1] === field.name)?.name;
    if (name) problems[name] = msg;
    else isComplete = false;
  }
  return { problems, isComplete };
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

/** The body of a request that creates an object. */
export function bodyOf<Body>(fields: readonly FormField[], values: Values): Body {
  const body: Record<string, unknown> = {};
  for (const { name, kind } of fields) {
    const text = values[name] ?? "";
    if (text.trim() !== "") body[name] = kind === "json" ? parseObject(text) : text;
  }
  return body as Body;
}

/** The body of a request that makes the changes of the form; null if there is none. */
export function patchOf<Body>(fields: readonly FormField[], before: Values, after: Values): Body | null {
  const patch: Record<string, unknown> = {};
  for (const { name, kind } of fields) {
    const [old = "", text = ""] = [before[name], after[name]];
    if (kind === "json") {
      const inner = mergePatch(parseObject(old) ?? {}, parseObject(text) ?? {});
      if (inner) patch[name] = inner;
    } else if (old !== text) patch[name] = text;
  }
  return Object.keys(patch).length > 0 ? (patch as Body) : null;
}
