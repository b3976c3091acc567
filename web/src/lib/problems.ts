import { ValidationError } from "@versioner/client";

/** The server's message about a field of a form, by the last part of the field's location. */
export function problemOf(error: unknown, field: string): string | undefined {
  if (!(error instanceof ValidationError)) return undefined;
  return error.problems.find(({ loc }) => loc.at(-1) === field)?.msg;
}
