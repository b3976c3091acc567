import type { Cell } from "./cell-state";
import { isReview, type Row, TYPES } from "./matrix-data";

/**
 * The version that would be promoted to a cell next: the last that completed in an environment of the nearest type before that of the
 * cell, in which the product runs; null if there is none, or the cell has that version or a newer one. Environments of reviews are not
 * promoted from.
 */
export function versionToPromote(row: Row, { environment_type, version, versions_behind }: Cell): string | null {
  const cells = [...row.cells.values()].filter(
    ({ version, environment_name: name, environment_type: type }) => version !== null && !isReview({ name, type }),
  );
  const before = environment_type === "other" ? [] : TYPES.slice(TYPES.indexOf(environment_type) + 1, -1);
  for (const type of before) {
    const [newest] = cells
      .filter((cell) => cell.environment_type === type)
      .sort((a, b) => Date.parse(b.since ?? "") - Date.parse(a.since ?? ""));
    if (!newest) continue;
    const isThere = version === newest.version || (versions_behind ?? Infinity) < (newest.versions_behind ?? 0);
    return isThere ? null : newest.version;
  }
  return null;
}
