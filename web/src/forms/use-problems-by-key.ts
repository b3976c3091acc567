import { useState } from "react";

import type { Problems } from "./fields";

/** The problems by the key of the item that they were about when the form was sent: items may have come and gone since. */
export function useProblemsByKey(
  items: readonly { key: string }[],
  inner: Problems,
  error: unknown,
): Readonly<Record<string, Problems>> {
  const [sent, setSent] = useState({ error, keys: items.map(({ key }) => key) });
  if (sent.error !== error) setSent({ error, keys: items.map(({ key }) => key) });
  const byKey: Record<string, Record<string, string>> = {};
  for (const [path, problem] of Object.entries(inner)) {
    const [index = "", member = ""] = path.split(".");
    const key = sent.keys[Number(index)];
    if (key !== undefined) (byKey[key] ??= {})[member] ??= problem;
  }
  return byKey;
}
