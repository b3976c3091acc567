import type { CalendarItem } from "@versioner/client";

import { AppLink } from "../../components/app-link";
import { Dialog } from "../../components/dialog";
import { Name } from "../../components/name";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState } from "../../components/states";
import { EffectBadge, ModeBadge } from "../rules/mode-badge";
import { scopeText } from "../rules/rule-texts";
import { itemKey } from "./day-entry";
import { dayText, itemsOf, rangeText } from "./days";

/** The windows of a day, with their rules. */
export function DayDialog({ day, items, onClose }: { day: Date; items: readonly CalendarItem[]; onClose: () => void }) {
  const found = itemsOf(items, day);
  return (
    <Dialog title={dayText(day)} onClose={onClose}>
      {found.length === 0 ? (
        <EmptyState title="No window on this day" />
      ) : (
        <RecordList label="Windows">
          {found.map((item) => (
            <RecordRow
              key={itemKey(item)}
              title={
                <>
                  <EffectBadge effect={item.effect} />
                  {item.mode === "report_only" ? <ModeBadge mode={item.mode} /> : null}
                  <Name className="min-w-0 font-medium break-words">{item.window_name}</Name>
                </>
              }
              facts={
                <>
                  <span className="text-text">{rangeText(item)}</span>
                  <Fact label="Rule">
                    <AppLink to={`/rules/${item.rule_id}`} className="rounded text-accent underline">
                      <Name>{item.rule_name}</Name>
                    </AppLink>
                  </Fact>
                  <Fact label="Applies to">
                    <Name className="break-words">{scopeText(item.scope)}</Name>
                  </Fact>
                </>
              }
            >
              {item.reason ? <Name className="text-sm break-words">{item.reason}</Name> : null}
            </RecordRow>
          ))}
        </RecordList>
      )}
    </Dialog>
  );
}
