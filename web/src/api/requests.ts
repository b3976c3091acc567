import {
  activateDeploymentRequest,
  type ApprovalType,
  cancelDeploymentRequest,
  completeDeploymentRequest,
  Conflict,
  deactivateDeploymentRequest,
  deleteDeploymentRequest,
  type DeploymentRequest,
  getDeploymentRequest,
  listDeploymentRequests,
  type ListDeploymentRequestsData,
  PreconditionFailed,
  updateDeploymentRequest,
  type DeploymentRequestPatch,
} from "@versioner/client";

import type { Search } from "../lib/search";
import { client } from "./client";
import {
  COLUMN_PACE,
  COLUMN_SIZE,
  ifMatch,
  listOptions,
  MAX_PAGE_SIZE,
  objectOptions,
  PAGE_SIZE,
  presentIn,
  type Revised,
} from "./lists";
import { queryClient } from "./query-client";

const KIND = "deployment-requests";

export type RequestStatus = DeploymentRequest["status"];

type Filters = NonNullable<ListDeploymentRequestsData["query"]>;

/** The requests of the account, newest first. */
export const requestsQuery = (filters: Search) =>
  listOptions<DeploymentRequest>([KIND, "list", filters], (page, signal) =>
    listDeploymentRequests({ client, signal, query: { limit: PAGE_SIZE, ...presentIn<Filters>(filters), ...page } }),
  );

export const requestColumnQuery = (status: RequestStatus, q: string | undefined) =>
  listOptions<DeploymentRequest>(
    [KIND, "list", "column", status, q],
    (page, signal) =>
      listDeploymentRequests({ client, signal, query: { status, ...(q ? { q } : {}), limit: COLUMN_SIZE, ...page } }),
    COLUMN_PACE,
  );

/** Reports whether a request that is active has an open approval of one of the types, an optional one too. */
export const waitsFor = (
  { open_approvals, open_optional_approvals }: DeploymentRequest,
  types: readonly ApprovalType[],
) => [...open_approvals, ...open_optional_approvals].some((type) => types.includes(type));

/**
 * The requests with an open approval of one of the types, newest first: all of them as one page, since the server has no such filter. An account has at
 * most 1,000 open requests.
 */
export const waitingRequestsQuery = (q: string | undefined, types: readonly ApprovalType[]) =>
  listOptions<DeploymentRequest>([KIND, "waiting", q, types], async (_, signal) => {
    const found = new Map<string, DeploymentRequest>(); // a request may be approved in between
    for (const status of ["in_progress", "approved"] as const) {
      const query = { ...presentIn<Filters>({ q }), status, limit: MAX_PAGE_SIZE };
      for await (const request of listDeploymentRequests({ client, signal, query })) {
        if (waitsFor(request, types)) found.set(request.id, request);
      }
    }
    const items = [...found.values()].sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at));
    return { items, next_cursor: null };
  });

export const requestQuery = (id: string) =>
  objectOptions([KIND, id], async (signal): Promise<Revised<DeploymentRequest>> => {
    const { data, etag } = await getDeploymentRequest({ client, signal, path: { id } }).answer();
    return { object: data, etag };
  });

export const reloadRequest = (id: string) => queryClient.fetchQuery({ ...requestQuery(id), staleTime: 0 });

const reload = () => queryClient.invalidateQueries({ queryKey: [KIND] });

/** Waits for a change. If the server refuses it, the requests are not as the page shows them, and are read again. */
async function checked<T>(change: PromiseLike<T>): Promise<T> {
  try {
    return await change;
  } catch (failure) {
    if (failure instanceof Conflict || failure instanceof PreconditionFailed) await reload();
    throw failure;
  }
}

/** Waits for a change, and reads the requests again. */
export async function changing<T>(change: PromiseLike<T>): Promise<T> {
  const result = await checked(change);
  await reload();
  return result;
}

export const changeRequest = (id: string, body: DeploymentRequestPatch, etag: string | undefined) =>
  changing(updateDeploymentRequest({ client, path: { id }, body, ...ifMatch(etag) }));

export async function removeRequest(id: string, etag: string | undefined): Promise<void> {
  await checked(deleteDeploymentRequest({ client, path: { id }, ...ifMatch(etag) }));
  await queryClient.invalidateQueries({ queryKey: [KIND, "list"] });
}

const TRANSITIONS = {
  activate: activateDeploymentRequest,
  deactivate: deactivateDeploymentRequest,
  cancel: cancelDeploymentRequest,
  complete: completeDeploymentRequest,
} as const;

export type Transition = keyof typeof TRANSITIONS;

export const moveRequest = (id: string, transition: Transition, etag: string | undefined) =>
  changing(TRANSITIONS[transition]({ client, path: { id }, ...ifMatch(etag) }));
