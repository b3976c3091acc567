import { useEffect, useState } from "react";

import { connectionStore } from "../lib/connection";
import { useStore } from "../lib/store";

/** Shown while the server does not answer. How old the data are, each view shows itself. */
export function ConnectionBanner() {
  const hasFailed = useStore(connectionStore);
  const isOffline = useOffline();
  if (!hasFailed && !isOffline) return null;
  return (
    <div
      role="status"
      className="flex shrink-0 items-center gap-2 border-b border-line bg-warn-soft px-4 py-1.5 text-sm text-warn"
    >
      <span aria-hidden="true">⚠</span>
      <span>
        {isOffline ? "This computer is offline." : "The server does not answer."} The page tries again by itself.
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
