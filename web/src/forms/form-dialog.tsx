import type { ValidationItem } from "@versioner/client";
import { type ReactNode, type Ref, useState } from "react";

import { Button } from "../components/button";
import { Dialog } from "../components/dialog";
import { InlineError } from "../components/states";
import { FieldProblem } from "./fields";

export interface FormDialogProps {
  title: string;
  /** The text of the button that sends the form. */
  action: string;
  onSubmit: () => void;
  onClose: () => void;
  busy: boolean;
  error?: unknown;
  /** The server's messages that are beside the fields: the summary leaves them out. */
  shown?: readonly ValidationItem[];
  /** Whether something was typed, which closing would lose. */
  isDirty?: boolean;
  isDangerous?: boolean;
  isDisabled?: boolean;
  isWide?: boolean;
  formRef?: Ref<HTMLFormElement>;
  children: ReactNode;
}

/** A form in a dialog. Closing it requires a confirmation if there is input. */
export function FormDialog(props: FormDialogProps) {
  const [isAsking, setAsking] = useState(false);
  const close = () => (props.isDirty && !isAsking ? setAsking(true) : props.onClose());
  return (
    <Dialog title={props.title} shape={props.isWide ? "wide" : "center"} onClose={close}>
      <form
        ref={props.formRef}
        noValidate
        className="flex flex-col gap-4 p-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (!props.busy && !props.isDisabled) props.onSubmit();
        }}
      >
        {props.children}
        <InlineError error={props.error instanceof FieldProblem ? null : props.error} except={props.shown} />
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
