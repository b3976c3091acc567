import { useMutation } from "@tanstack/react-query";
import { PreconditionFailed } from "@versioner/client";
import { useState } from "react";

import type { Revised } from "../api/lists";

type Values = Record<string, string>;

interface EditOptions<T, V extends Values> {
  /** The object that the form was opened with. */
  initial: Revised<T>;
  valuesOf: (object: T) => V;
  /** Reads the object again after another user has changed it. */
  load: () => Promise<Revised<T>>;
  /** Sends the values that differ from those of the object. */
  save: (values: Partial<V>, revision: Revised<T>) => Promise<unknown>;
  onDone: () => void;
}

/**
 * The state of a form that changes an object. A save sends only the changed values with the revision of the object: if another user
 * has changed the object since (412), `conflict` has the present object, and the form keeps what was typed.
 */
export function useEdit<T, V extends Values>({ initial, valuesOf, load, save, onDone }: EditOptions<T, V>) {
  const [base, setBase] = useState(initial);
  const [values, setValues] = useState(() => valuesOf(initial.object));
  const [conflict, setConflict] = useState<Revised<T> | null>(null);
  const changesFrom = (object: T) => {
    const before = valuesOf(object);
    return Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== before[name])) as Partial<V>;
  };
  const mutation = useMutation({
    mutationFn: async (revision: Revised<T>) => {
      try {
        await save(changesFrom(base.object), revision);
        return true;
      } catch (error) {
        if (!(error instanceof PreconditionFailed)) throw error;
        setConflict(await load());
        return false;
      }
    },
    onSuccess: (isSaved) => isSaved && onDone(),
  });
  const adopt = (revision: Revised<T>) => {
    setBase(revision);
    setConflict(null);
  };
  return {
    values,
    set: (changes: Partial<V>) => setValues((before) => ({ ...before, ...changes })),
    isDirty: Object.keys(changesFrom(base.object)).length > 0,
    error: mutation.error,
    busy: mutation.isPending,
    submit: () => mutation.mutate(base),
    conflict: conflict && {
      theirs: valuesOf(conflict.object),
      yours: values,
      before: valuesOf(base.object),
      /** Saves the typed values over those of the other user. */
      overwrite: () => {
        setConflict(null);
        mutation.mutate(conflict);
      },
      /** Puts the values of the other user into the form. */
      takeTheirs: () => {
        adopt(conflict);
        setValues(valuesOf(conflict.object));
      },
    },
  };
}

export type Conflict = NonNullable<ReturnType<typeof useEdit>["conflict"]>;
