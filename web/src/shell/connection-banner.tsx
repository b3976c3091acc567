import { useEffect, useState } from "react";

import { connectionStore } from "../lib/connection";
import { useStore } from "../lib/store";
import { durationText } from "../lib/time";

/** Shown while the server does not answer: how old the data on the page are. */
export function ConnectionBanner() {
  const { failedSince, succeededAt } = useStore(connectionStore);
  const isOffline = useOffline();
  const now = useSeconds(failedSince !== null || isOffline);
  if (failedSince === null && !isOffline) return null;
  const age = succeededAt === null ? null : durationText(now - succeededAt);
  return (
    <div
      role="status"
      className="flex shrink-0 items-center gap-2 border-b border-line bg-warn-soft px-4 py-1.5 text-sm text-warn"
    >
      <span aria-hidden="true">⚠</span>
      <span>
        {isOffline ? "This computer is offline." : "The server does not answer."}
        {age ? <span> The data on this page are {age} old.</span> : null} The page tries again by itself.
      </span>
    </div>
  );
}

function useOffline(): boolean {
  const [isOffline, setOffline] = useState(!navigator.onLine);
  useEffect(() => {
    const update = () => setOffline(!navigator.onLine);
    addEventListener("online", update);
    addEventListener("offline", update);
    return () => {
      removeEventListener("online", update);
      removeEventListener("offline", update);
    };
  }, []);
  return isOffline;
}

/** The time of the browser, each second while it is needed. */
function useSeconds(isNeeded: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isNeeded) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [isNeeded]);
  return now;
}
