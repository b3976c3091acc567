import { Badge } from "../../components/badge";
import { Dialog } from "../../components/dialog";
import { Name, VersionName } from "../../components/name";
import { Time } from "../../components/time";
import { type Cell, cellState, STATE_LABELS, stateText } from "./cell-state";

/** The review environments of a product. */
export default function ReviewPanel({
  product,
  cells,
  onOpen,
  onClose,
}: {
  product: string;
  cells: Cell[];
  onOpen: (cell: Cell) => void;
  onClose: () => void;
}) {
  return (
    <Dialog title={`${product}: review environments`} shape="side" onClose={onClose}>
      <ul className="divide-y divide-line">
        {cells.map((cell) => {
          const state = cellState(cell);
          const { tone, glyph } = STATE_LABELS[state];
          return (
            <li key={cell.environment_id}>
              <button
                type="button"
                onClick={() => onOpen(cell)}
                className="flex w-full flex-col gap-0.5 px-4 py-2 text-left hover:bg-raised"
              >
                <Name className="font-medium">{cell.environment_name}</Name>
                <span className="flex items-center gap-2 text-sm text-muted">
                  {cell.version ? <VersionName cut>{cell.version}</VersionName> : null}
                  <Badge tone={tone} glyph={glyph}>
                    {stateText(cell, state)}
                  </Badge>
                  <Time at={cell.since} />
                </span>
              </button>
            </li>
          );
        })}
      </ul>
    </Dialog>
  );
}
