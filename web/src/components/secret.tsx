import type { ReactNode } from "react";

import { Button } from "./button";
import { CodeBlock } from "./code-block";
import { Dialog } from "./dialog";

/** Shows a secret, which no answer has again. The dialog closes only with its button, so that a key or a click does not lose it. */
export function SecretDialog({
  title,
  label,
  secret,
  onClose,
  children,
}: {
  title: string;
  label: string;
  secret: string;
  onClose: () => void;
  children?: ReactNode;
}) {
  return (
    <Dialog title={title} onClose={() => undefined} hideClose>
      <div className="flex flex-col gap-4 p-4">
        <p className="rounded-md bg-warn-soft px-3 py-2 text-sm text-warn">
          This is the only time that it is shown. Store it now.
        </p>
        <CodeBlock label={label} text={secret} />
        {children}
        <Button kind="primary" className="self-end" onClick={onClose}>
          I have stored it
        </Button>
      </div>
    </Dialog>
  );
}
