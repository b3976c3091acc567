import { useEffect, useRef, useState } from "react";

import { type Cell, cellState } from "./cell-state";

const PAUSE = 10_000;

/** Announces deployments that fail while the page is open to screen readers, politely, at most once in 10 seconds. */
export function FailureAnnouncer({ cells }: { cells: readonly Cell[] }) {
  const known = useRef<Set<string> | null>(null);
  const waiting = useRef<string[]>([]);
  const pause = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const [message, setMessage] = useState("");

  useEffect(() => {
    const failed = cells.filter((cell) => cellState(cell) === "failed");
    const before = known.current;
    known.current = new Set(failed.map((cell) => cell.latest_deployment_id ?? ""));
    if (!before) return;
    const fresh = failed.filter((cell) => !before.has(cell.latest_deployment_id ?? ""));
    waiting.current.push(...fresh.map((cell) => `${cell.product_name} failed in ${cell.environment_name}`));
    const announce = () => {
      pause.current = undefined;
      if (waiting.current.length === 0) return;
      setMessage(`${waiting.current.splice(0).join(", ")}.`);
      pause.current = setTimeout(announce, PAUSE);
    };
    if (pause.current === undefined) announce();
  }, [cells]);
  useEffect(() => () => clearTimeout(pause.current), []);

  return (
    <p aria-live="polite" className="sr-only">
      {message}
    </p>
  );
}
