import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { Release, ReleaseCreate, ReleaseStatus } from "@versioner/client";
import { type DragEvent, useState } from "react";

import { addRelease, moveRelease, releasesQuery } from "../../api/releases";
import { usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Button } from "../../components/button";
import { FilterBar, TextFilter } from "../../components/filters";
import { Name } from "../../components/name";
import { ReadOnlyNote } from "../../components/no-permission";
import { ObjectList } from "../../components/object-list";
import { Page } from "../../components/page";
import { MenuButton, PopoverMenu } from "../../components/popover-menu";
import { InlineError } from "../../components/states";
import { Time } from "../../components/time";
import { CreateDialog } from "../../forms/create-dialog";
import { cx } from "../../lib/cx";
import { useFilters } from "../../lib/search";
import { NEW_FIELDS } from "./release-form";
import { MOVE_LABELS, MOVES, STATUS_LABELS, STATUSES } from "./release-status";

/** The releases by status. Those that may be moved have a menu, and can be dragged. */
export default function ReleasesPage() {
  const [{ q }, change] = useFilters();
  const mayWrite = usePermission("releases.write");
  const [isFormOpen, setFormOpen] = useState(false);
  const [dragged, setDragged] = useState<Release | null>(null);
  const { mutate, error, isPending } = useMutation({
    mutationFn: ({ release, to }: { release: Release; to: ReleaseStatus }) => moveRelease(release, to),
  });
  const onMove = (release: Release, to: ReleaseStatus) => mutate({ release, to });
  return (
    <Page
      title="Releases"
      lead="Versions of several products that are released together"
      actions={
        mayWrite ? (
          <Button kind="primary" onClick={() => setFormOpen(true)}>
            New release
          </Button>
        ) : null
      }
    >
      <ReadOnlyNote permission="releases.write" what="create or move releases" />
      <FilterBar isFiltered={Boolean(q)} onClear={() => change({ q: "" })}>
        <TextFilter
          label="Filter releases"
          isMain
          className="w-full sm:w-64"
          value={q}
          onChange={(text) => change({ q: text })}
        />
      </FilterBar>
      <InlineError error={error} />
      <div className="grid grid-cols-1 items-start gap-3 md:grid-cols-2 xl:grid-cols-4" aria-busy={isPending}>
        {STATUSES.map((status) => (
          <BoardColumn key={status} {...{ status, q, mayWrite, dragged, onMove }} onDrag={setDragged} />
        ))}
      </div>
      {isFormOpen ? <NewRelease onClose={() => setFormOpen(false)} /> : null}
    </Page>
  );
}

interface ColumnProps {
  status: ReleaseStatus;
  q: string | undefined;
  mayWrite: boolean;
  dragged: Release | null;
  onDrag: (release: Release | null) => void;
  onMove: (release: Release, to: ReleaseStatus) => void;
}

function BoardColumn({ status, q, mayWrite, dragged, onDrag, onMove }: ColumnProps) {
  const query = useInfiniteQuery(releasesQuery(status, q));
  const { glyph, word } = STATUS_LABELS[status];
  const accepts = dragged !== null && MOVES[dragged.status].includes(status);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    if (dragged && accepts) onMove(dragged, status);
    onDrag(null);
  };
  return (
    <section
      aria-label={word}
      className={cx("overflow-hidden rounded-lg border bg-raised", accepts ? "border-accent" : "border-line")}
      onDragOver={(event) => accepts && event.preventDefault()}
      onDrop={drop}
    >
      <h2 className="flex min-h-10 items-center gap-2 px-3 font-semibold">
        <span aria-hidden="true" className="text-muted">
          {glyph}
        </span>
        {word}
      </h2>
      <ObjectList
        query={query}
        noun="releases"
        skeletons={2}
        empty={<p className="px-3 pb-4 text-sm text-muted">{q ? "None matches the filter" : "None"}</p>}
      >
        {(releases) => (
          <ul className="flex flex-col gap-2 px-2 pb-2">
            {releases.map((release) => (
              <Card key={release.id} {...{ release, mayWrite, onDrag, onMove }} />
            ))}
          </ul>
        )}
      </ObjectList>
    </section>
  );
}

type CardProps = Pick<ColumnProps, "mayWrite" | "onDrag" | "onMove"> & { release: Release };

function Card({ release, mayWrite, onDrag, onMove }: CardProps) {
  const moves = mayWrite ? MOVES[release.status] : [];
  return (
    <li
      draggable={moves.length > 0}
      onDragStart={() => onDrag(release)}
      onDragEnd={() => onDrag(null)}
      className="flex flex-col gap-1 rounded-md border border-line bg-surface px-3 py-2"
    >
      <div className="flex items-start justify-between gap-2">
        <AppLink to={`/releases/${release.id}`} className="min-h-6 min-w-0 rounded font-medium hover:underline">
          <Name className="break-words">{release.name}</Name>
        </AppLink>
        {moves.length > 0 ? (
          <PopoverMenu
            label={`Move ${release.name}`}
            className="min-h-6 shrink-0 rounded px-1.5 text-sm text-accent hover:bg-raised"
            button={
              <>
                Move<span className="sr-only">{` ${release.name}`}</span>
              </>
            }
          >
            {moves.map((to) => (
              <MenuButton key={to} onClick={() => onMove(release, to)}>
                {MOVE_LABELS[to]}
              </MenuButton>
            ))}
          </PopoverMenu>
        ) : null}
      </div>
      {release.description ? (
        <Name className="line-clamp-2 text-sm break-words text-muted">{release.description}</Name>
      ) : null}
      <p className="flex justify-between gap-2 text-sm text-muted">
        <span>{release.version_count === 1 ? "1 version" : `${release.version_count} versions`}</span>
        <Time at={release.updated_at} />
      </p>
    </li>
  );
}

function NewRelease({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  return (
    <CreateDialog
      title="New release"
      fields={NEW_FIELDS}
      initial={{ status: "draft" }}
      create={(body: ReleaseCreate) => addRelease(body)}
      onCreated={({ id }) => void navigate({ to: `/releases/${id}` as "/" })}
      onClose={onClose}
    />
  );
}
