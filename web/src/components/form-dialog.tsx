import { type ReactNode, useState } from "react";

import { Button } from "./button";
import { Dialog } from "./dialog";
import { TextField } from "./field";
import { InlineError } from "./states";

interface FormDialogProps {
  title: string;
  /** The text of the button that sends the form. */
  action: string;
  onSubmit: () => void;
  onClose: () => void;
  busy: boolean;
  error?: unknown;
  /** Whether something was typed, which closing would lose. */
  isDirty?: boolean;
  isDangerous?: boolean;
  isDisabled?: boolean;
  children: ReactNode;
}

/** A form in a dialog. Closing it asks before it discards what was typed. */
export function FormDialog(props: FormDialogProps) {
  const [isAsking, setAsking] = useState(false);
  const close = () => (props.isDirty && !isAsking ? setAsking(true) : props.onClose());
  return (
    <Dialog title={props.title} onClose={close}>
      <form
        noValidate
        className="flex flex-col gap-4 p-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (!props.busy && !props.isDisabled) props.onSubmit();
        }}
      >
        {props.children}
        <InlineError error={props.error} />
        {isAsking ? <Discard onDiscard={props.onClose} onKeep={() => setAsking(false)} /> : null}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={close}>Cancel</Button>
          <Button
            type="submit"
            kind={props.isDangerous ? "danger" : "primary"}
            busy={props.busy}
            disabled={props.isDisabled}
          >
            {props.action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Discard({ onDiscard, onKeep }: { onDiscard: () => void; onKeep: () => void }) {
  return (
    <div role="alert" className="flex flex-wrap items-center gap-2 rounded-md bg-warn-soft px-3 py-2 text-sm text-warn">
      <span className="grow">Discard what you have typed?</span>
      <Button small onClick={onKeep}>
        Keep editing
      </Button>
      <Button small kind="danger" onClick={onDiscard}>
        Discard
      </Button>
    </div>
  );
}

/** Asks before an action that cannot be undone. With `name`, the user types the name of the object first. */
export function ConfirmDialog({
  name,
  children,
  ...props
}: Omit<FormDialogProps, "isDirty" | "isDisabled" | "isDangerous"> & { name?: string }) {
  const [typed, setTyped] = useState("");
  const isConfirmed = name === undefined || typed.trim() === name.trim();
  return (
    <FormDialog {...props} isDangerous isDisabled={!isConfirmed}>
      {children}
      {name === undefined ? null : (
        <>
          <p>
            Type{" "}
            <strong>
              <bdi>{name}</bdi>
            </strong>{" "}
            to confirm.
          </p>
          <TextField
            label="Name"
            autoFocus
            autoComplete="off"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        </>
      )}
    </FormDialog>
  );
}
