import { useQuery } from "@tanstack/react-query";
import type { DeploymentRequest } from "@versioner/client";
import { useState } from "react";

import { governanceSettingsQuery } from "../../api/governance";
import type { Revised } from "../../api/lists";
import { addToRequest, removeFromRequest, requestVersionsQuery } from "../../api/request-parts";
import { moveRequest, reloadRequest, requestQuery, type Transition } from "../../api/requests";
import { usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Button } from "../../components/button";
import { Fact, Facts } from "../../components/facts";
import { Loaded } from "../../components/loaded";
import { Name } from "../../components/name";
import { Panel } from "../../components/page";
import { Time } from "../../components/time";
import { ConfirmDialog } from "../../forms/confirm-dialog";
import { ObjectPage } from "../../forms/object-page";
import { useRouteId } from "../../lib/route";
import { VersionsPanel } from "../releases/versions-panel";
import { ActivityPanel } from "./activity-panel";
import { CommentsPanel } from "./comments-panel";
import { RequestBadge } from "./request-badge";
import { requestEditing } from "./request-form";
import { isOpen, openItems, TRANSITION_TEXTS, TRANSITIONS } from "./request-texts";
import { SlotsPanel } from "./slots-panel";
import { StepsPanel } from "./steps-panel";

/** One deployment request: what it names, what it waits for, and what has happened to it. */
export default function RequestPage() {
  const query = useQuery(requestQuery(useRouteId()));
  return (
    <Loaded query={query} kind="Deployment request" list="/deployment-requests">
      {(revised) => <Content key={revised.object.id} revised={revised} />}
    </Loaded>
  );
}

function Content({ revised }: { revised: Revised<DeploymentRequest> }) {
  const { object: request } = revised;
  const { id, status } = request;
  const mayWrite = usePermission("requests.write");
  const [transition, setTransition] = useState<Transition | null>(null);
  return (
    <ObjectPage
      revised={revised}
      list={{ to: "/deployment-requests", label: "Deployment requests" }}
      editing={requestEditing(status)}
      permission="requests.write"
      changes="change, activate, cancel or delete deployment requests, or add approvals and steps"
      isEditable={isOpen(status)}
      isDeletable={status === "draft"}
      trail={<RequestBadge status={status} />}
      actions={
        mayWrite
          ? TRANSITIONS[status].map((one) => (
              <Button
                key={one}
                kind={one === "activate" || one === "complete" ? "primary" : one === "cancel" ? "danger" : "secondary"}
                onClick={() => setTransition(one)}
              >
                {TRANSITION_TEXTS[one].action}
              </Button>
            ))
          : null
      }
      script={{ path: `/deployment-requests/${id}` }}
    >
      <OpenPanel request={request} />
      <FactsPanel request={request} />
      <VersionsPanel
        noun="request"
        options={requestVersionsQuery(id)}
        mayChange={mayWrite && status === "draft"}
        add={(version) => addToRequest(id, version)}
        remove={(version) => removeFromRequest(id, version)}
      />
      <SlotsPanel request={request} />
      <StepsPanel request={request} />
      <CommentsPanel id={id} />
      <ActivityPanel id={id} />
      {transition ? (
        <TransitionDialog revised={revised} transition={transition} onClose={() => setTransition(null)} />
      ) : null}
    </ObjectPage>
  );
}

/** What the request waits for, and what it blocks until then. */
function OpenPanel({ request }: { request: DeploymentRequest }) {
  const { status, gate } = request;
  const items = openItems(request);
  if (!isOpen(status)) return null;
  return (
    <Panel title="What is open">
      <div className="flex flex-col gap-2 px-4 py-3">
        {items.length > 0 ? (
          <ul aria-label="What is open" className="flex flex-col gap-1">
            {items.map((item) => (
              <li key={item} className="flex gap-2">
                <span aria-hidden="true">○</span>
                {item}
              </li>
            ))}
          </ul>
        ) : (
          <p>
            ✓ All required approvals of this request are given, and all steps before the deployments are done. Rules are
            checked when a deployment starts: they may need other approvals, or newer ones.
          </p>
        )}
        {status === "in_progress" || status === "rejected" ? (
          <p className="text-sm text-muted">
            {gate
              ? "Until it is approved, its versions are blocked in its environments."
              : "By itself it blocks no deployment; a rule may require that it is approved."}
          </p>
        ) : null}
      </div>
    </Panel>
  );
}

function FactsPanel({ request }: { request: DeploymentRequest }) {
  const { environments, gate } = request;
  return (
    <Panel>
      <Facts>
        <Fact name="Environments">
          {environments.length > 0
            ? environments.map(({ id, name }) => (
                <AppLink
                  key={id}
                  to={`/environments/${id}`}
                  className="inline-flex min-h-6 min-w-0 items-center hover:underline"
                >
                  <Name className="min-w-0 break-words">{name}</Name>
                </AppLink>
              ))
            : "none yet"}
        </Fact>
        <Fact name="Blocks its versions until it is approved">{gate ? "✓ yes" : "– no"}</Fact>
        <Fact name="Created">
          <Time at={request.created_at} /> by <Name>{request.created_by_name}</Name>
        </Fact>
        <Fact name="Activated">
          {request.activated_at ? (
            <>
              <Time at={request.activated_at} />
              {request.activated_by_name ? (
                <>
                  {" by "}
                  <Name>{request.activated_by_name}</Name>
                </>
              ) : null}
            </>
          ) : null}
        </Fact>
        <Fact name="Completed">{request.completed_at ? <Time at={request.completed_at} /> : null}</Fact>
        <Fact name="Cancelled">{request.cancelled_at ? <Time at={request.cancelled_at} /> : null}</Fact>
        <Fact name="Changed">
          <Time at={request.updated_at} />
        </Fact>
      </Facts>
    </Panel>
  );
}

interface TransitionDialogProps {
  revised: Revised<DeploymentRequest>;
  transition: Transition;
  onClose: () => void;
}

function TransitionDialog({ revised, transition, onClose }: TransitionDialogProps) {
  const { id, name } = revised.object;
  const { action, consequence } = TRANSITION_TEXTS[transition];
  const { data: settings } = useQuery(governanceSettingsQuery);
  return (
    <ConfirmDialog
      title={`${action}: ${name}`}
      action={action}
      isDangerous={transition === "cancel"}
      outdated="Another user has changed this request. Nothing has been done; look at it again before you do."
      run={() => moveRequest(id, transition, revised.etag)}
      reload={() => reloadRequest(id)}
      onDone={onClose}
      onClose={onClose}
    >
      <Name className="font-semibold">{name}</Name>
      {consequence}
      {transition === "activate" && !settings?.requester_may_approve
        ? " Who activates it cannot approve it: other users decide about it."
        : null}
    </ConfirmDialog>
  );
}
