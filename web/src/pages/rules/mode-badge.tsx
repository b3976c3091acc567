import type { RuleMode, WindowEffect } from "@versioner/client";

import { Badge } from "../../components/badge";
import { EFFECTS, MODES } from "./rule-texts";

export function ModeBadge({ mode }: { mode: RuleMode }) {
  const { tone, glyph, word } = MODES[mode];
  return (
    <Badge tone={tone} glyph={glyph}>
      {word}
    </Badge>
  );
}

export function EffectBadge({ effect }: { effect: WindowEffect }) {
  const { tone, glyph, word } = EFFECTS[effect];
  return (
    <Badge tone={tone} glyph={glyph}>
      {word}
    </Badge>
  );
}
