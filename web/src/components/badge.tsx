import { cx } from "../lib/cx";

const TONES = {
  good: "bg-good-soft text-good",
  bad: "bg-bad-soft text-bad",
  busy: "bg-busy-soft text-busy",
  warn: "bg-warn-soft text-warn",
  neutral: "bg-raised text-muted",
} as const;

export type Tone = keyof typeof TONES;

/** A state as a glyph and a word, so that it needs no colour. */
export function Badge({
  tone,
  glyph,
  title,
  children,
}: {
  tone: Tone;
  glyph: string;
  title?: string | undefined;
  children: React.ReactNode;
}) {
  return (
    <span
      title={title}
      className={cx(
        "inline-flex items-center gap-1 rounded px-1 py-px text-xs font-medium whitespace-nowrap",
        TONES[tone],
      )}
    >
      <span aria-hidden="true">{glyph}</span>
      {children}
    </span>
  );
}

const STATUS: Record<string, { tone: Tone; glyph: string; word: string }> = {
  pending: { tone: "neutral", glyph: "○", word: "pending" },
  started: { tone: "busy", glyph: "◐", word: "in progress" },
  completed: { tone: "good", glyph: "✓", word: "completed" },
  failed: { tone: "bad", glyph: "✕", word: "failed" },
  aborted: { tone: "warn", glyph: "⊘", word: "aborted" },
  preflight_failed: { tone: "bad", glyph: "⊘", word: "blocked" },
};

/** The status of a deployment or build. A stale one has no end and is not in progress any more. */
export function StatusBadge({ status, isStale = false }: { status: string; isStale?: boolean }) {
  if (isStale) {
    return (
      <Badge tone="warn" glyph="?" title="It has not reported its end, and no event for a long time.">
        stale
      </Badge>
    );
  }
  const { tone, glyph, word } = STATUS[status] ?? { tone: "neutral" as const, glyph: "·", word: status };
  return (
    <Badge tone={tone} glyph={glyph}>
      {word}
    </Badge>
  );
}
