import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { ApprovalType, DeploymentRequest } from "@versioner/client";
import { useState } from "react";

import { governanceSettingsQuery } from "../../api/governance";
import { requestsQuery, waitingRequestsQuery } from "../../api/requests";
import { sessionQuery, usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Button, buttonClass } from "../../components/button";
import { ChoiceFilter, FilterBar, TextFilter } from "../../components/filters";
import { ReadOnlyNote } from "../../components/no-permission";
import { ObjectList, type ObjectListProps } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { EmptyState, SkeletonRows } from "../../components/states";
import { type Search, useFilters } from "../../lib/search";
import { requestApprovalTypesOf } from "../governance/texts";
import { NewRequest } from "./new-request";
import { RequestBoard, type WaitingFilter } from "./request-board";
import { RequestRows } from "./request-rows";
import { STATUSES } from "./request-texts";

const STATUS_CHOICES = Object.fromEntries(Object.entries(STATUSES).map(([status, { word }]) => [status, word]));

/** The requests to deploy versions, newest first or by status, or those that the user can decide about. */
export default function RequestsPage() {
  const [search, change] = useFilters();
  const { data: session } = useQuery(sessionQuery);
  const mayWrite = usePermission("requests.write");
  const mayApprove = usePermission("requests.approve");
  const [isFormOpen, setFormOpen] = useState(false);
  const types = mayApprove ? (Object.keys(requestApprovalTypesOf(session?.role)) as ApprovalType[]) : [];
  const isHidden = useIsRequestedByUser();
  const isUnknown = search["waiting"] === "me" && !session;
  const isWaiting = search["waiting"] === "me" && types.length > 0;
  const isBoard = search["view"] === "board";
  return (
    <Page
      title="Deployment requests"
      lead="Which versions shall be deployed to which environments, and who approves it"
      actions={
        <>
          <AppLink to="/deployment-requests/templates" className={buttonClass()}>
            Templates
          </AppLink>
          {mayWrite ? (
            <Button kind="primary" onClick={() => setFormOpen(true)}>
              New request
            </Button>
          ) : null}
        </>
      }
    >
      <ReadOnlyNote permission="requests.write" what="create or change deployment requests" />
      <div className="flex flex-wrap items-end justify-between gap-2">
        <FilterBar
          isFiltered={(isBoard ? ["q", "waiting"] : ["q", "status", "waiting"]).some((name) => search[name])}
          onClear={() => change({ q: "", status: "", waiting: "" })}
        >
          <TextFilter label="Name" isMain value={search["q"]} onChange={(q) => change({ q })} />
          {isBoard ? null : (
            <ChoiceFilter
              label="Status"
              any="Any status"
              value={search["status"]}
              choices={STATUS_CHOICES}
              onChange={(status) => change({ status, waiting: "" })}
            />
          )}
          {types.length > 0 ? (
            <Button
              kind={isWaiting ? "primary" : "secondary"}
              aria-pressed={isWaiting}
              onClick={() => change({ waiting: isWaiting ? "" : "me", status: "" })}
            >
              Waiting for me
            </Button>
          ) : null}
        </FilterBar>
        <div role="group" aria-label="View" className="flex gap-1">
          {(["list", "board"] as const).map((view) => (
            <Button
              key={view}
              kind={isBoard === (view === "board") ? "primary" : "secondary"}
              aria-pressed={isBoard === (view === "board")}
              onClick={() => change(view === "board" ? { view, status: "" } : { view: "" })}
            >
              {view === "board" ? "Board" : "List"}
            </Button>
          ))}
        </div>
      </div>
      {isBoard && !isUnknown ? (
        <RequestBoard q={search["q"]} waiting={isWaiting ? { types, isHidden } : null} />
      ) : (
        <Panel>
          {isUnknown ? (
            <SkeletonRows />
          ) : isWaiting ? (
            <Waiting q={search["q"]} types={types} isHidden={isHidden} />
          ) : (
            <All search={search} mayWrite={mayWrite} />
          )}
        </Panel>
      )}
      {isFormOpen ? <NewRequest onClose={() => setFormOpen(false)} /> : null}
    </Page>
  );
}

/** Reports of a request whether the user has made it and may therefore not decide about it: settings permit it. */
function useIsRequestedByUser(): WaitingFilter["isHidden"] {
  const { data: session } = useQuery(sessionQuery);
  const { data: settings } = useQuery(governanceSettingsQuery);
  const user = session?.user.id;
  return ({ created_by, activated_by }) =>
    !settings?.requester_may_approve && (created_by === user || activated_by === user);
}

function All({ search: { q, status }, mayWrite }: { search: Search; mayWrite: boolean }) {
  const query = useInfiniteQuery(requestsQuery({ q, status }));
  const empty =
    q || status ? (
      <EmptyState title="No request matches the filters" />
    ) : (
      <EmptyState title="No deployment request yet">
        A request names versions and environments, and collects the approvals that they need.{" "}
        {mayWrite
          ? "Create one, add versions to it, and activate it."
          : "A developer, product manager, release manager or administrator creates one."}
      </EmptyState>
    );
  return <Requests query={query} empty={empty} />;
}

interface WaitingProps extends WaitingFilter {
  q: string | undefined;
}

/** Requests with an open approval of the types. */
function Waiting({ q, types, isHidden }: WaitingProps) {
  const query = useInfiniteQuery(waitingRequestsQuery(q, types));
  const empty = (
    <EmptyState title="No request waits for you">
      Requests with an open approval, an optional one too, that your role may give, and that you have not made yourself,
      appear here.
    </EmptyState>
  );
  return <Requests query={query} empty={empty} isHidden={isHidden} />;
}

interface RequestsProps extends Pick<ObjectListProps<DeploymentRequest>, "query" | "empty"> {
  isHidden?: WaitingFilter["isHidden"];
}

function Requests({ query, empty, isHidden = () => false }: RequestsProps) {
  return (
    <ObjectList query={query} noun="requests" empty={empty}>
      {(all, isDimmed) => {
        const requests = all.filter((request) => !isHidden(request));
        if (requests.length === 0) return empty;
        return <RequestRows requests={requests} isDimmed={isDimmed} />;
      }}
    </ObjectList>
  );
}
