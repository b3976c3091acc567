import { useMutation } from "@tanstack/react-query";
import { PreconditionFailed } from "@versioner/client";
import { type ReactNode, useState } from "react";

import { CheckField } from "../components/field";
import { FormDialog } from "./form-dialog";

interface ConfirmDialogProps {
  title: string;
  action: string;
  /** What the user agrees to first, where much is lost. */
  confirmation?: string;
  run: () => Promise<unknown>;
  /** Reads the object again, after another user has changed it. */
  reload?: () => Promise<unknown>;
  /** What the user reads when another user has changed the object. */
  outdated?: string;
  isDangerous?: boolean;
  isWide?: boolean;
  onDone: () => void;
  onClose: () => void;
  children: ReactNode;
}

/** Requires a confirmation of an action that cannot be undone, and lists its consequences. */
export function ConfirmDialog({
  title,
  action,
  confirmation,
  run,
  reload,
  outdated = "Another user has changed this. It has not been deleted; look at it again before you do.",
  isDangerous = true,
  isWide = false,
  onDone,
  onClose,
  children,
}: ConfirmDialogProps) {
  const [isConfirmed, setConfirmed] = useState(false);
  const { mutate, isPending, error } = useMutation({
    mutationFn: run,
    onSuccess: onDone,
    onError: async (failure) => {
      if (!(failure instanceof PreconditionFailed)) return;
      setConfirmed(false);
      await reload?.();
    },
  });
  const isOutdated = error instanceof PreconditionFailed;
  return (
    <FormDialog
      title={title}
      action={action}
      isDangerous={isDangerous}
      isWide={isWide}
      isDisabled={confirmation !== undefined && !isConfirmed}
      busy={isPending}
      error={isOutdated ? null : error}
      onSubmit={mutate}
      onClose={onClose}
    >
      <div>{children}</div>
      {confirmation === undefined ? null : (
        <CheckField label={confirmation} isChecked={isConfirmed} onChange={setConfirmed} />
      )}
      {isOutdated ? (
        <p role="alert" className="rounded-md bg-warn-soft px-3 py-2 text-sm text-warn">
          {outdated}
        </p>
      ) : null}
    </FormDialog>
  );
}
