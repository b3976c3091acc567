import { useMutation } from "@tanstack/react-query";
import { PreconditionFailed } from "@versioner/client";
import { type ReactNode, useState } from "react";

import { Button } from "./button";
import { Dialog } from "./dialog";
import { InlineError } from "./states";

/** Asks before an object is deleted, and says what goes with it. `confirmation` is what the user agrees to. */
export function DeleteDialog({
  title,
  confirmation,
  remove,
  reload,
  onDeleted,
  onClose,
  children,
}: {
  title: string;
  confirmation: string;
  remove: () => Promise<unknown>;
  /** Reads the object again, after another user has changed it. */
  reload: () => Promise<unknown>;
  onDeleted: () => void;
  onClose: () => void;
  children: ReactNode;
}) {
  const [isConfirmed, setConfirmed] = useState(false);
  const { mutate, isPending, error } = useMutation({
    mutationFn: remove,
    onSuccess: onDeleted,
    onError: async (failure) => {
      if (!(failure instanceof PreconditionFailed)) return;
      setConfirmed(false);
      await reload();
    },
  });
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="flex flex-col gap-4 p-4">
        <div>{children}</div>
        <label className="flex min-h-6 items-start gap-2">
          <input
            type="checkbox"
            className="mt-0.5 size-4 accent-accent"
            checked={isConfirmed}
            onChange={(event) => setConfirmed(event.target.checked)}
          />
          {confirmation}
        </label>
        {error instanceof PreconditionFailed ? (
          <p role="alert" className="rounded-md bg-warn-soft px-3 py-2 text-sm text-warn">
            Another user has changed this. It has not been deleted; look at it again before you do.
          </p>
        ) : (
          <InlineError error={error} />
        )}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="danger" disabled={!isConfirmed} busy={isPending} onClick={() => mutate()}>
            Delete
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
