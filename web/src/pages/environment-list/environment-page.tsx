import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { Environment, EnvironmentPatch } from "@versioner/client";
import { useState } from "react";

import {
  changeEnvironment,
  environmentQuery,
  reloadEnvironment,
  removeEnvironment,
  stateOfEnvironmentQuery,
} from "../../api/environments";
import type { Revised } from "../../api/lists";
import { usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Badge } from "../../components/badge";
import { Button, buttonClass } from "../../components/button";
import { CopyButton } from "../../components/copy-button";
import { DeleteDialog } from "../../components/delete-dialog";
import { MetadataPanel } from "../../components/json";
import { Loaded, Trail } from "../../components/loaded";
import { Name } from "../../components/name";
import { EditDialog } from "../../components/object-form";
import { ObjectList } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { ScriptPanel } from "../../components/script-panel";
import { StateTable } from "../../components/state-table";
import { EmptyState } from "../../components/states";
import { useRouteId } from "../../lib/route";
import { TYPE_NAMES } from "../environments/matrix-data";
import { EDIT_FIELDS, environmentValues } from "./environment-form";

/** One environment: its type, and what runs there. */
export default function EnvironmentPage() {
  const query = useQuery(environmentQuery(useRouteId()));
  return (
    <Loaded query={query} kind="Environment" list="/environments">
      {(revised) => <Content revised={revised} />}
    </Loaded>
  );
}

function Content({ revised }: { revised: Revised<Environment> }) {
  const { object: environment } = revised;
  const state = useInfiniteQuery(stateOfEnvironmentQuery(environment.id));
  return (
    <Page
      title={environment.name}
      lead={
        <>
          <Trail>
            <AppLink to="/environments" className="inline-flex min-h-6 items-center text-accent hover:underline">
              Manage environments
            </AppLink>
            <Badge tone="neutral" glyph="▸">
              {TYPE_NAMES[environment.type]}
            </Badge>
          </Trail>
          {environment.description ? <Name className="whitespace-pre-wrap">{environment.description}</Name> : null}
        </>
      }
      actions={<Actions revised={revised} />}
    >
      <Panel title="Products">
        <ObjectList query={state} noun="products" empty={<EmptyState title="Nothing has been deployed here yet" />}>
          {(states, isDimmed) => <StateTable states={states} by="product" isDimmed={isDimmed} />}
        </ObjectList>
      </Panel>
      <MetadataPanel data={{ ...environment.extra_metadata, ...environment.metadata }} />
      <ScriptPanel path="/environment-state/" query={{ environment: environment.name }} />
    </Page>
  );
}

function Actions({ revised }: { revised: Revised<Environment> }) {
  const { object: environment } = revised;
  const mayWrite = usePermission("environments.write");
  const [dialog, setDialog] = useState<"edit" | "delete" | null>(null);
  return (
    <>
      <AppLink to="/deployments" search={{ environment: environment.name }} className={buttonClass()}>
        Deployments
      </AppLink>
      {mayWrite ? (
        <>
          <Button onClick={() => setDialog("edit")}>Edit</Button>
          <Button kind="danger" onClick={() => setDialog("delete")}>
            Delete
          </Button>
        </>
      ) : null}
      <CopyButton text={environment.id} label="Copy the identifier" iconOnly />
      <Dialogs revised={revised} open={dialog} onClose={() => setDialog(null)} />
    </>
  );
}

interface DialogsProps {
  revised: Revised<Environment>;
  open: "edit" | "delete" | null;
  onClose: () => void;
}

function Dialogs({ revised, open, onClose }: DialogsProps) {
  const navigate = useNavigate();
  const { object: environment, etag } = revised;
  if (open === "edit") {
    return (
      <EditDialog
        title={`Edit ${environment.name}`}
        fields={EDIT_FIELDS}
        revised={revised}
        valuesOf={environmentValues}
        reload={() => reloadEnvironment(environment.id)}
        save={(patch: EnvironmentPatch, revision) => changeEnvironment(environment.id, patch, revision)}
        onClose={onClose}
      />
    );
  }
  if (open === null) return null;
  return (
    <DeleteDialog
      title={`Delete ${environment.name}`}
      confirmation="Delete the environment with its deployments"
      remove={() => removeEnvironment(environment.id, etag)}
      reload={() => reloadEnvironment(environment.id)}
      onDeleted={() => void navigate({ to: "/environments" as "/" })}
      onClose={onClose}
    >
      <Name className="font-semibold">{environment.name}</Name> and its deployments disappear from every page. The next
      event that names the environment creates a new one.
    </DeleteDialog>
  );
}
