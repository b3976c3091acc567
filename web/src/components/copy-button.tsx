import { useEffect, useState } from "react";

import { Button } from "./button";
import { CheckIcon, CopyIcon } from "./icons";

/** Copies a text. Without the clipboard interface (a page over http), it selects a temporary field and copies that. */
export function CopyButton({
  text,
  label = "Copy",
  iconOnly = false,
}: {
  text: string;
  label?: string;
  iconOnly?: boolean;
}) {
  const [result, setResult] = useState<"copied" | "failed" | null>(null);
  useEffect(() => {
    if (result === null) return;
    const timer = setTimeout(() => setResult(null), 2_000);
    return () => clearTimeout(timer);
  }, [result]);
  const copy = () => copyText(text).then((done) => setResult(done ? "copied" : "failed"));
  const word = result === "copied" ? "Copied" : result === "failed" ? "Copying failed" : label;
  return (
    <Button
      small
      kind="quiet"
      onClick={copy}
      aria-label={iconOnly ? word : undefined}
      title={iconOnly ? word : undefined}
    >
      {result === "copied" ? <CheckIcon /> : <CopyIcon />}
      {iconOnly ? null : word}
      <span role="status" className="sr-only">
        {result === null ? "" : word}
      </span>
    </Button>
  );
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "sr-only";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}
