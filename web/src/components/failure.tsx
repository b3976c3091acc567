import { useInfiniteQuery } from "@tanstack/react-query";
import type { Deployment, RecordedEvent } from "@versioner/client";

import { deploymentEventsQuery } from "../api/deployments";
import { cx } from "../lib/cx";
import { Name } from "./name";

/** The first of the members that has a text. */
function textOf(object: Readonly<Record<string, unknown>>, names: readonly string[]): string | null {
  for (const name of names) {
    const value = object[name];
    if (typeof value === "string" && value.trim()) return value.trim();
  }
  return null;
}

function errorOfEvents(events: readonly RecordedEvent[]): string | null {
  const event = events.find(({ status }) => status === "failed" || status === "aborted");
  return event ? textOf(event.body, ["error_message", "error", "message"]) : null;
}

/** Why a deployment failed or was aborted, as its pipeline has reported it: in the metadata, or else in the body of its event. */
export function Failure({ deployment, className }: { deployment: Deployment; className?: string }) {
  const { id, status, extra_metadata } = deployment;
  const isFailed = status === "failed" || status === "aborted";
  const reported = textOf(extra_metadata, ["error", "error_message"]);
  const events = useInfiniteQuery({ ...deploymentEventsQuery(id), enabled: isFailed && reported === null });
  const error = reported ?? errorOfEvents(events.data?.pages.flatMap(({ items }) => items) ?? []);
  if (!isFailed || error === null) return null;
  return (
    <section
      aria-label="Error"
      className={cx(
        "rounded-md px-3 py-2",
        status === "failed" ? "bg-bad-soft text-bad" : "bg-warn-soft text-warn",
        className,
      )}
    >
      <p className="text-sm font-medium">{status === "failed" ? "Why it failed" : "Why it was aborted"}</p>
      <Name className="block max-h-60 overflow-y-auto break-words whitespace-pre-wrap">{error}</Name>
    </section>
  );
}
