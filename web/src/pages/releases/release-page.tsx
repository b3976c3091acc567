import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { Release, ReleasePatch, ReleaseStatus } from "@versioner/client";
import { useState } from "react";

import type { Revised } from "../../api/lists";
import { changeRelease, moveRelease, releaseQuery, reloadRelease, removeRelease } from "../../api/releases";
import { usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { CopyButton } from "../../components/copy-button";
import { DeleteDialog } from "../../components/delete-dialog";
import { MetadataPanel } from "../../components/json";
import { Loaded, Trail } from "../../components/loaded";
import { Name } from "../../components/name";
import { EditDialog } from "../../components/object-form";
import { Page } from "../../components/page";
import { ScriptPanel } from "../../components/script-panel";
import { InlineError } from "../../components/states";
import { Time } from "../../components/time";
import { useRouteId } from "../../lib/route";
import { ProgressPanel } from "./progress-grid";
import { EDIT_FIELDS, isOpen, MOVE_LABELS, MOVES, releaseValues, STATUS_LABELS } from "./release-form";
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
  const mayWrite = usePermission("releases.write");
  const move = useMutation({ mutationFn: (status: ReleaseStatus) => moveRelease(release, status) });
  const { tone, glyph, word } = STATUS_LABELS[release.status];
  return (
    <Page
      title={release.name}
      lead={
        <>
          <Trail>
            <AppLink to="/releases" className="inline-flex min-h-6 items-center text-accent hover:underline">
              Releases
            </AppLink>
            <Badge tone={tone} glyph={glyph}>
              {word}
            </Badge>
            <span>
              changed <Time at={release.updated_at} />
            </span>
          </Trail>
          {release.description ? <Name className="whitespace-pre-wrap">{release.description}</Name> : null}
        </>
      }
      actions={
        mayWrite ? (
          <Actions revised={revised} isBusy={move.isPending} onMove={move.mutate} />
        ) : (
          <CopyButton text={release.id} label="Copy the identifier" />
        )
      }
    >
      <InlineError error={move.error} />
      <ProgressPanel id={release.id} />
      <VersionsPanel release={release} mayWrite={mayWrite} />
      {isOpen(release.status) ? null : (
        <p className="text-sm text-muted">{`This release is ${word.toLowerCase()}: its versions and its status do not change any more.`}</p>
      )}
      <MetadataPanel data={release.extra_metadata} />
      <ScriptPanel path={`/releases/${release.id}/deployments`} />
    </Page>
  );
}

interface ActionsProps {
  revised: Revised<Release>;
  isBusy: boolean;
  onMove: (status: ReleaseStatus) => void;
}

function Actions({ revised, isBusy, onMove }: ActionsProps) {
  const [dialog, setDialog] = useState<"edit" | "delete" | null>(null);
  const { object: release } = revised;
  return (
    <>
      {MOVES[release.status].map((status) => (
        <Button
          key={status}
          kind={status === "cancelled" ? "secondary" : "primary"}
          busy={isBusy}
          onClick={() => onMove(status)}
        >
          {MOVE_LABELS[status]}
        </Button>
      ))}
      <Button onClick={() => setDialog("edit")}>Edit</Button>
      <Button kind="danger" onClick={() => setDialog("delete")}>
        Delete
      </Button>
      <CopyButton text={release.id} label="Copy the identifier" iconOnly />
      <Dialogs revised={revised} open={dialog} onClose={() => setDialog(null)} />
    </>
  );
}

interface DialogsProps {
  revised: Revised<Release>;
  open: "edit" | "delete" | null;
  onClose: () => void;
}

function Dialogs({ revised, open, onClose }: DialogsProps) {
  const navigate = useNavigate();
  const { object: release, etag } = revised;
  if (open === "edit") {
    return (
      <EditDialog
        title={`Edit ${release.name}`}
        fields={EDIT_FIELDS}
        revised={revised}
        valuesOf={releaseValues}
        reload={() => reloadRelease(release.id)}
        save={(patch: ReleasePatch, revision) => changeRelease(release.id, patch, revision)}
        onClose={onClose}
      />
    );
  }
  if (open === null) return null;
  return (
    <DeleteDialog
      title={`Delete ${release.name}`}
      confirmation="Delete the release"
      remove={() => removeRelease(release.id, etag)}
      reload={() => reloadRelease(release.id)}
      onDeleted={() => void navigate({ to: "/releases" as "/" })}
      onClose={onClose}
    >
      <Name className="font-semibold">{release.name}</Name> is removed; its versions and their deployments stay.
    </DeleteDialog>
  );
}
