import { useMutation, useQuery } from "@tanstack/react-query";
import type { Release, ReleaseStatus } from "@versioner/client";

import type { Revised } from "../../api/lists";
import { addToRelease, moveRelease, releaseQuery, releaseVersionsQuery, removeFromRelease } from "../../api/releases";
import { usePermission } from "../../api/session";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { Loaded } from "../../components/loaded";
import { InlineError } from "../../components/states";
import { Time } from "../../components/time";
import { ObjectPage } from "../../forms/object-page";
import { useRouteId } from "../../lib/route";
import { ProgressPanel } from "./progress-grid";
import { releaseEditing } from "./release-form";
import { isOpen, MOVE_LABELS, MOVES, STATUS_LABELS } from "./release-status";
import { VersionsPanel } from "./versions-panel";

/** One release: its versions, and where each has been deployed. */
export default function ReleasePage() {
  const query = useQuery(releaseQuery(useRouteId()));
  return (
    <Loaded query={query} kind="Release" list="/releases">
      {(revised) => <Content revised={revised} />}
    </Loaded>
  );
}

function Content({ revised }: { revised: Revised<Release> }) {
  const { object: release } = revised;
  const { id, status, updated_at, extra_metadata } = release;
  const mayWrite = usePermission("releases.write");
  const move = useMutation({ mutationFn: (to: ReleaseStatus) => moveRelease(release, to) });
  const { tone, glyph, word } = STATUS_LABELS[status];
  return (
    <ObjectPage
      revised={revised}
      list={{ to: "/releases", label: "Releases" }}
      trail={
        <>
          <Badge tone={tone} glyph={glyph}>
            {word}
          </Badge>
          <span>
            changed <Time at={updated_at} />
          </span>
        </>
      }
      editing={releaseEditing}
      permission="releases.write"
      changes="edit, move or delete releases, or change their versions"
      actions={mayWrite ? <Moves status={status} isBusy={move.isPending} onMove={move.mutate} /> : null}
      metadata={extra_metadata}
      script={{ path: `/releases/${id}/deployments` }}
    >
      <InlineError error={move.error} />
      <ProgressPanel id={id} />
      <VersionsPanel
        noun="release"
        options={releaseVersionsQuery(id)}
        mayChange={mayWrite && isOpen(status)}
        add={(version) => addToRelease(id, version)}
        remove={(version) => removeFromRelease(id, version)}
      />
      {isOpen(status) ? null : (
        <p className="text-sm text-muted">{`This release is ${word.toLowerCase()}: its versions and its status do not change any more.`}</p>
      )}
    </ObjectPage>
  );
}

interface MovesProps {
  status: ReleaseStatus;
  isBusy: boolean;
  onMove: (status: ReleaseStatus) => void;
}

function Moves({ status, isBusy, onMove }: MovesProps) {
  return MOVES[status].map((to) => (
    <Button key={to} kind={to === "cancelled" ? "secondary" : "primary"} busy={isBusy} onClick={() => onMove(to)}>
      {MOVE_LABELS[to]}
    </Button>
  ));
}
