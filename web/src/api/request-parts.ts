import {
  addDeploymentRequestApproval,
  addDeploymentRequestStep,
  addDeploymentRequestVersion,
  approveDeploymentRequest,
  completeDeploymentRequestStep,
  createDeploymentRequestComment,
  type DeploymentRequestActivity,
  type DeploymentRequestApproval,
  type DeploymentRequestApprovalAdd,
  type DeploymentRequestComment,
  type DeploymentRequestDecision,
  type DeploymentRequestStep,
  type DeploymentRequestStepAdd,
  listDeploymentRequestActivity,
  listDeploymentRequestApprovals,
  listDeploymentRequestComments,
  listDeploymentRequestSteps,
  listDeploymentRequestVersions,
  rejectDeploymentRequest,
  removeDeploymentRequestApproval,
  removeDeploymentRequestStep,
  removeDeploymentRequestVersion,
  reopenDeploymentRequestStep,
  resetDeploymentRequestApproval,
  type Version,
} from "@versioner/client";

import { client } from "./client";
import { listOptions, MAX_PAGE_SIZE, PAGE_SIZE } from "./lists";
import { changing } from "./requests";

const part = (id: string, kind: string) => ["deployment-requests", id, kind] as const;

export const requestVersionsQuery = (id: string) =>
  listOptions<Version>(part(id, "versions"), (page, signal) =>
    listDeploymentRequestVersions({ client, signal, path: { id }, query: { limit: MAX_PAGE_SIZE, ...page } }),
  );

export const addToRequest = (id: string, version: string) =>
  changing(addDeploymentRequestVersion({ client, path: { id }, body: { version_id: version } }));

export const removeFromRequest = (id: string, version: string) =>
  changing(removeDeploymentRequestVersion({ client, path: { id, version_id: version } }));

/** The slots for approvals of a request: there is at most one of each type. */
export const slotsQuery = (id: string) =>
  listOptions<DeploymentRequestApproval>(part(id, "approvals"), (page, signal) =>
    listDeploymentRequestApprovals({ client, signal, path: { id }, query: { limit: MAX_PAGE_SIZE, ...page } }),
  );

export const addSlot = (id: string, body: DeploymentRequestApprovalAdd) =>
  changing(addDeploymentRequestApproval({ client, path: { id }, body }));

export const removeSlot = (id: string, slot: string) =>
  changing(removeDeploymentRequestApproval({ client, path: { id, slot_id: slot } }));

const DECISIONS = {
  approve: approveDeploymentRequest,
  reject: rejectDeploymentRequest,
  reset: resetDeploymentRequestApproval,
} as const;

export type Decision = keyof typeof DECISIONS;

export const decideSlot = (id: string, slot: string, decision: Decision, body: DeploymentRequestDecision) =>
  changing(DECISIONS[decision]({ client, path: { id, slot_id: slot }, body }));

/** The steps of a request: there are at most 50. */
export const stepsQuery = (id: string) =>
  listOptions<DeploymentRequestStep>(part(id, "steps"), (page, signal) =>
    listDeploymentRequestSteps({ client, signal, path: { id }, query: { limit: MAX_PAGE_SIZE, ...page } }),
  );

export const addStep = (id: string, body: DeploymentRequestStepAdd) =>
  changing(addDeploymentRequestStep({ client, path: { id }, body }));

export const removeStep = (id: string, step: string) =>
  changing(removeDeploymentRequestStep({ client, path: { id, step_id: step } }));

/** Stores whether a step is done. */
export function finishStep(id: string, step: string, isDone: boolean) {
  const finish = isDone ? completeDeploymentRequestStep : reopenDeploymentRequestStep;
  return changing(finish({ client, path: { id, step_id: step } }));
}

export const requestCommentsQuery = (id: string) =>
  listOptions<DeploymentRequestComment>(part(id, "comments"), (page, signal) =>
    listDeploymentRequestComments({ client, signal, path: { id }, query: { limit: PAGE_SIZE, ...page } }),
  );

export const commentOnRequest = (id: string, text: string) =>
  changing(createDeploymentRequestComment({ client, path: { id }, body: { text } }));

export const requestActivityQuery = (id: string) =>
  listOptions<DeploymentRequestActivity>(part(id, "activity"), (page, signal) =>
    listDeploymentRequestActivity({ client, signal, path: { id }, query: { limit: PAGE_SIZE, ...page } }),
  );
