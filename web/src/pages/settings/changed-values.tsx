import type { AuditedChange } from "@versioner/client";
import { Fragment, useState } from "react";

import { cx } from "../../lib/cx";
import { valueLines } from "./value-lines";

/** The changed members with their values before and after; what was empty before is only added, what is empty now only removed. */
export function ChangedValues({ changes }: { changes: readonly AuditedChange[] }) {
  if (changes.length === 0) return null;
  return (
    <dl aria-label="Values" className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 py-1 text-sm">
      {changes.map((change) => (
        <Fragment key={change.field}>
          <dt className="text-muted">{change.field}</dt>
          <dd>
            <Change change={change} />
          </dd>
        </Fragment>
      ))}
    </dl>
  );
}

function Change({ change: { before, after, truncated } }: { change: AuditedChange }) {
  const [old, now] = [valueLines(before ?? ""), valueLines(after ?? "")];
  const cut = truncated ? <span className="text-muted">(cut)</span> : null;
  const isLong = (lines: readonly string[] | null) => lines !== null && lines.length > 1;
  if (isLong(old) || isLong(now)) {
    const [was, is] = [old ?? textLines(before), now ?? textLines(after)];
    return (
      <div className={cx("grid gap-x-4 gap-y-2", was && is && "sm:grid-cols-2")}>
        {was ? <Lines as="del" lines={was} others={is} /> : null}
        {is ? <Lines as="ins" lines={is} others={was} /> : null}
        {cut}
      </div>
    );
  }
  return (
    <div className="flex flex-wrap items-baseline gap-x-2">
      {before === null ? null : <Value as="del" text={old?.[0] ?? before} />}
      {before === null || after === null ? null : <span aria-hidden="true">→</span>}
      {after === null ? null : <Value as="ins" text={now?.[0] ?? after} />}
      {before === null && after === null ? <span className="text-muted">(empty)</span> : null}
      {cut}
    </div>
  );
}

const textLines = (text: string | null) => (text === null ? null : text.split("\n"));

function Value({ as: Element, text }: { as: "del" | "ins"; text: string }) {
  return (
    <Element className={Element === "del" ? "min-w-0 text-muted" : "min-w-0 no-underline"}>
      <bdi className="line-clamp-6 whitespace-pre-wrap" title={text}>
        {text}
      </bdi>
    </Element>
  );
}

/** How many lines of a value are shown at first. */
const SHOWN = 12;

interface LinesProps {
  as: "del" | "ins";
  lines: readonly string[];
  /** The lines of the value before or after: those that differ are marked. */
  others: readonly string[] | null;
}

function Lines({ as: Element, lines, others }: LinesProps) {
  const [isWhole, setWhole] = useState(false);
  const shown = isWhole || lines.length <= SHOWN + 1 ? lines : lines.slice(0, SHOWN);
  const isRemoved = Element === "del";
  return (
    <div className="min-w-0">
      {others ? <p className="text-xs text-muted">{isRemoved ? "Before" : "After"}</p> : null}
      <Element className="block border-l-2 border-line pl-2 no-underline">
        {shown.map((line, index) => {
          const isMarked = others !== null && !others.includes(line);
          return (
            <span key={index} className={cx("flex gap-1", isMarked && (isRemoved ? "bg-bad-soft" : "bg-good-soft"))}>
              {others ? (
                <span aria-hidden="true" className="w-3 shrink-0 select-none">
                  {isMarked ? (isRemoved ? "−" : "+") : ""}
                </span>
              ) : null}
              {isMarked ? <span className="sr-only">{isRemoved ? "removed: " : "added: "}</span> : null}
              <bdi className="min-w-0 break-words whitespace-pre-wrap">{line}</bdi>
            </span>
          );
        })}
      </Element>
      {shown.length < lines.length ? (
        <button
          type="button"
          className="min-h-6 rounded text-accent hover:underline"
          onClick={() => setWhole(true)}
        >{`Show all ${lines.length} lines`}</button>
      ) : null}
    </div>
  );
}
