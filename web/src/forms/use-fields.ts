import { useEffect, useRef, useState } from "react";

import { type FormFields, type Problems, problemsOf, sendingProblems, type Values } from "./fields";

/**
 * The values of a form and what is wrong with them. The form's element gets `ref`: the focus moves to the first field with a problem.
 */
export function useFields(all: FormFields, initial: Values, error: unknown) {
  const ref = useRef<HTMLFormElement>(null);
  const [values, setValues] = useState(initial);
  const [own, setOwn] = useState<Problems>({});
  const [refusals, setRefusals] = useState(0);
  useEffect(() => ref.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus(), [refusals, error]);
  const fields = typeof all === "function" ? all(values) : all;
  const sent = sendingProblems(fields, error);
  return {
    ref,
    fields,
    values,
    error,
    setValues,
    problems: { ...sent.problems, ...own },
    /** The server's messages that are beside the fields. */
    shown: sent.shown,
    change(name: string, text: string) {
      setValues((before) => ({ ...before, [name]: text }));
      setOwn(({ [name]: _, ...others }) => others);
    },
    /** Reports whether the server may get the values. */
    check(): boolean {
      const found = problemsOf(fields, values);
      setOwn(found);
      const isRefused = Object.keys(found).length > 0;
      if (isRefused) setRefusals((count) => count + 1);
      return !isRefused;
    },
  };
}
