import { type InfiniteData, useInfiniteQuery } from "@tanstack/react-query";
import type { ApprovalType, DeploymentRequest, Page } from "@versioner/client";

import { requestColumnQuery, type RequestStatus, waitingRequestsQuery, waitsFor } from "../../api/requests";
import { AppLink } from "../../components/app-link";
import { Name } from "../../components/name";
import { ObjectList, type ObjectListProps } from "../../components/object-list";
import { Time } from "../../components/time";
import { count, isOpen, openTypesText, STATUSES } from "./request-texts";

/** Which requests wait for a user: those with an open approval of the types, unless they are hidden. */
export interface WaitingFilter {
  types: readonly ApprovalType[];
  isHidden: (request: DeploymentRequest) => boolean;
}

/**
 * The requests by status, in columns beside each other: a phone shows one, and the edge of the next. They are moved on their pages: most moves
 * have conditions, or need a decision.
 */
export function RequestBoard({ q, waiting }: { q: string | undefined; waiting: WaitingFilter | null }) {
  return (
    <div
      role="group"
      aria-label="Board"
      tabIndex={0}
      className="-mx-4 grid snap-x snap-mandatory scroll-px-4 auto-cols-[85%] grid-flow-col items-start gap-3 overflow-x-auto px-4 py-1 md:-mx-1 md:auto-cols-[minmax(13rem,1fr)] md:snap-none md:px-1"
    >
      {(Object.keys(STATUSES) as RequestStatus[]).map((status) => (
        <Column key={status} status={status} q={q} waiting={waiting} />
      ))}
    </div>
  );
}

interface ColumnProps {
  status: RequestStatus;
  q: string | undefined;
  waiting: WaitingFilter | null;
}

function Column({ status, q, waiting }: ColumnProps) {
  const query = useInfiniteQuery<
    Page<DeploymentRequest>,
    Error,
    InfiniteData<Page<DeploymentRequest>>,
    readonly unknown[],
    string | null
  >(waiting ? waitingRequestsQuery(q, waiting.types) : requestColumnQuery(status, q));
  const isShown = (request: DeploymentRequest) =>
    waiting === null || (request.status === status && waitsFor(request, waiting.types) && !waiting.isHidden(request));
  const none = <p className="px-3 pb-4 text-sm text-muted">{q || waiting ? "None matches the filter" : "None"}</p>;
  const { glyph, word } = STATUSES[status];
  const title = `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
  return (
    <section
      aria-label={title}
      className="flex max-h-[max(20rem,calc(100dvh-10.5rem))] min-w-0 snap-start flex-col overflow-hidden rounded-lg border border-line bg-raised"
    >
      <h2 className="flex min-h-10 shrink-0 items-center gap-2 px-3 font-semibold">
        <span aria-hidden="true" className="text-muted">
          {glyph}
        </span>
        {title}
        <Total query={query} isShown={isShown} />
      </h2>
      <div className="min-h-0 overflow-y-auto">
        <ObjectList query={query} noun="requests" skeletons={2} empty={none}>
          {(all, isDimmed) => {
            const requests = all.filter(isShown);
            if (requests.length === 0) return none;
            return (
              <ul aria-label={title} className={isDimmed ? "opacity-60" : undefined}>
                {requests.map((request) => (
                  <Card key={request.id} request={request} />
                ))}
              </ul>
            );
          }}
        </ObjectList>
      </div>
    </section>
  );
}

/** How many requests a column has, or how many of them are loaded. */
function Total({
  query: { data, hasNextPage },
  isShown,
}: Pick<ObjectListProps<DeploymentRequest>, "query"> & { isShown: (request: DeploymentRequest) => boolean }) {
  const total = data?.pages.flatMap((page) => page.items).filter(isShown).length;
  return total ? <span className="text-sm font-normal text-muted">{`${total}${hasNextPage ? "+" : ""}`}</span> : null;
}

function Card({ request }: { request: DeploymentRequest }) {
  const { id, name, status, environments, version_count, open_pre_steps } = request;
  const mayWait = isOpen(status) && status !== "rejected";
  const open = mayWait ? openTypesText(request) : "";
  return (
    <li className="mx-2 mb-2 flex flex-col gap-1 rounded-md border border-line bg-surface px-3 py-2 text-sm text-muted">
      <AppLink
        to={`/deployment-requests/${id}`}
        className="min-h-6 max-w-full self-start rounded text-base font-medium text-text hover:underline"
      >
        <Name className="line-clamp-3 break-words">{name}</Name>
      </AppLink>
      <p className="line-clamp-3">
        {`${count(version_count, "version", "versions")} to `}
        <Name className="break-words text-text">
          {environments.map((one) => one.name).join(", ") || "no environment yet"}
        </Name>
      </p>
      {open ? (
        <p>
          Open approvals <span className="text-text">{open}</span>
        </p>
      ) : null}
      {mayWait && open_pre_steps > 0 ? (
        <p>
          Open steps before <span className="text-text">{open_pre_steps}</span>
        </p>
      ) : null}
      <p className="flex flex-wrap justify-between gap-x-2">
        <Name className="min-w-0 break-words">{request.created_by_name}</Name>
        <Time at={request.created_at} />
      </p>
    </li>
  );
}
