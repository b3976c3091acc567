import { useMutation } from "@tanstack/react-query";
import { type DeploymentRule, PreconditionFailed, ValidationError } from "@versioner/client";
import { useId, useState } from "react";

import type { Revised } from "../../api/lists";
import { importCalendar, reloadRule } from "../../api/rules";
import { Name } from "../../components/name";
import { FormDialog } from "../../forms/form-dialog";

/** The largest calendar that the server accepts. */
const MAX_BYTES = 1_048_576;

/** How many problems are listed. */
const PROBLEMS = 20;

/** Replaces the windows of a schedule by the events of an iCalendar file. */
export function ImportDialog({ revised, onClose }: { revised: Revised<DeploymentRule>; onClose: () => void }) {
  const { id, name, schedule } = revised.object;
  const [file, setFile] = useState<File | null>(null);
  const inputId = useId();
  const isTooLarge = file !== null && file.size > MAX_BYTES;
  const { mutate, reset, error, isPending } = useMutation({
    mutationFn: async (chosen: File) => importCalendar(id, await chosen.text(), revised.etag),
    onSuccess: onClose,
    onError: async (failure) => {
      if (failure instanceof PreconditionFailed) await reloadRule(id);
    },
  });
  const problems = error instanceof ValidationError ? error.problems : [];
  const isOutdated = error instanceof PreconditionFailed;
  return (
    <FormDialog
      title={`Import a calendar: ${name}`}
      action="Replace the windows"
      isDangerous
      isDisabled={file === null || isTooLarge}
      busy={isPending}
      error={isOutdated || problems.length > 0 ? null : error}
      onSubmit={() => file && mutate(file)}
      onClose={onClose}
    >
      <p>
        {`The ${schedule?.windows.length === 1 ? "window" : `${schedule?.windows.length ?? 0} windows`} of `}
        <Name className="font-semibold">{name}</Name>
        {` are replaced by the events of the file. Each denies deployments; those that are cancelled or free are left out. Dates are whole days in ${schedule?.timezone ?? "UTC"}.`}
      </p>
      <div className="flex flex-col gap-1">
        <label htmlFor={inputId} className="text-sm font-medium">
          iCalendar file (.ics)
        </label>
        <input
          id={inputId}
          type="file"
          accept=".ics,text/calendar"
          className="min-h-8 file:mr-3 file:min-h-8 file:rounded-md file:border file:border-line-strong file:bg-surface file:px-3 file:font-medium file:text-text"
          aria-invalid={isTooLarge || problems.length > 0 ? true : undefined}
          onChange={({ target }) => {
            reset();
            setFile(target.files?.[0] ?? null);
          }}
        />
        {isTooLarge ? <p className="text-sm text-bad">The file is larger than 1 MiB.</p> : null}
      </div>
      {problems.length > 0 ? (
        <div role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
          <p>Nothing has been replaced:</p>
          <ul className="list-disc pl-5">
            {problems.slice(0, PROBLEMS).map(({ loc, msg }, index) => (
              <li key={index}>
                <Name className="break-words">{[loc.slice(1).join(" "), msg].filter(Boolean).join(": ")}</Name>
              </li>
            ))}
          </ul>
          {problems.length > PROBLEMS ? <p>{`and ${problems.length - PROBLEMS} more`}</p> : null}
        </div>
      ) : null}
      {isOutdated ? (
        <p role="alert" className="rounded-md bg-warn-soft px-3 py-2 text-sm text-warn">
          Another user has changed this rule. Its windows have not been replaced; look at it again before you do.
        </p>
      ) : null}
    </FormDialog>
  );
}
