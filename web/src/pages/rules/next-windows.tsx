import { useQuery } from "@tanstack/react-query";
import type { DeploymentRule } from "@versioner/client";

import { calendarQuery } from "../../api/rules";
import { Name } from "../../components/name";
import { EmptyState, WhenLoaded } from "../../components/states";
import { useNow } from "../../lib/live";
import { formatIn } from "./recurrence";
import { EffectBadge } from "./mode-badge";

const WEEKS = 8;
const HOUR = 3_600_000;

/** How many occurrences are listed. */
const LIMIT = 20;

/** When the windows of a saved rule are in the next weeks, in its zone; of a draft, too. */
export function NextWindows({ rule, limit = LIMIT }: { rule: DeploymentRule; limit?: number }) {
  const hour = Math.floor(useNow() / HOUR) * HOUR;
  const zone = rule.schedule?.timezone ?? "UTC";
  const query = useQuery(
    calendarQuery({
      rule_id: rule.id,
      from: new Date(hour).toISOString(),
      until: new Date(hour + WEEKS * 7 * 24 * HOUR).toISOString(),
    }),
  );
  const format = formatIn(zone, {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });
  return (
    <WhenLoaded query={query} skeletons={3}>
      {({ items }) =>
        items.length === 0 ? (
          <EmptyState title={`No window in the next ${WEEKS} weeks`} />
        ) : (
          <>
            <ol aria-label="Next windows" className="divide-y divide-line">
              {items.slice(0, limit).map((item) => (
                <li
                  key={`${item.window_name} ${item.starts_at}`}
                  className="flex flex-wrap items-baseline gap-x-3 gap-y-0.5 px-4 py-2"
                >
                  <EffectBadge effect={item.effect} />
                  <span>{format.formatRange(new Date(item.starts_at), new Date(item.ends_at))}</span>
                  <Name className="min-w-0 text-sm break-words text-muted">{item.window_name}</Name>
                </li>
              ))}
            </ol>
            <p className="border-t border-line px-4 py-2 text-sm text-muted">
              {`Times of ${zone}; the next ${WEEKS} weeks`}
              {items.length > limit ? `, ${items.length - limit} more` : ""}
            </p>
          </>
        )
      }
    </WhenLoaded>
  );
}
