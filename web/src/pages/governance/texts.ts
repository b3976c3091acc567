import type { ApprovalType, BreakGlassStatus, PolicyCode, Role, RuleType, ViolationAction } from "@versioner/client";

import type { Tone } from "../../components/badge";

export const APPROVAL_TYPES: Readonly<Record<ApprovalType, string>> = {
  uat: "User acceptance",
  qa: "QA",
  performance: "Performance",
  security: "Security",
  code_review: "Code review",
  compliance: "Compliance",
  release_manager: "Release management",
};

/** The approvals of versions that a role may give, beside admins and release managers, who may give all. */
const TYPES_OF_ROLE: Partial<Record<Role, readonly ApprovalType[]>> = {
  product: ["uat"],
  qa: ["qa", "performance"],
  sre: ["performance"],
  security: ["security"],
  compliance: ["compliance"],
};

export const decidesAll = (role: Role | undefined) => role === "admin" || role === "release_manager";

/** The types of approvals of versions that the role may decide about, with their names. */
export function approvalTypesOf(role: Role | undefined): Readonly<Record<string, string>> {
  if (decidesAll(role)) return APPROVAL_TYPES;
  return Object.fromEntries((role ? (TYPES_OF_ROLE[role] ?? []) : []).map((type) => [type, APPROVAL_TYPES[type]]));
}

/** The types of approvals of deployment requests that the role may decide about, with their names. */
export function requestApprovalTypesOf(role: Role | undefined): Readonly<Record<string, string>> {
  return role === "developer" ? { code_review: APPROVAL_TYPES.code_review } : approvalTypesOf(role);
}

export const RULE_TYPES: Readonly<Record<RuleType, string>> = {
  schedule: "Schedule",
  flow: "Flow",
  concurrency: "Concurrency",
  deployment_request_required: "Deployment request",
  version_approval_required: "Version approval",
};

export const CODES: Readonly<Record<PolicyCode, string>> = {
  NO_DEPLOY_WINDOW: "No deployments now",
  DEPLOYMENT_IN_PROGRESS: "Others in progress",
  FLOW_VIOLATION: "Other environments first",
  INSUFFICIENT_SOAK_TIME: "Too short elsewhere",
  APPROVAL_REQUIRED: "Request not approved",
  QUALITY_APPROVAL_REQUIRED: "Version not approved",
};

interface Look {
  tone: Tone;
  glyph: string;
  word: string;
}

export const ACTIONS: Readonly<Record<ViolationAction, Look>> = {
  blocked: { tone: "bad", glyph: "⊘", word: "blocked" },
  reported: { tone: "warn", glyph: "!", word: "reported only" },
  overridden: { tone: "warn", glyph: "⚡", word: "overridden" },
  skipped: { tone: "warn", glyph: "»", word: "skipped" },
  observed: { tone: "neutral", glyph: "·", word: "observed afterwards" },
};

export const GRANT_STATES: Readonly<Record<BreakGlassStatus, Look>> = {
  awaiting_second: { tone: "warn", glyph: "○", word: "waits for a second user" },
  active: { tone: "busy", glyph: "◐", word: "active" },
  used: { tone: "good", glyph: "✓", word: "used" },
  expired: { tone: "neutral", glyph: "–", word: "expired" },
  revoked: { tone: "neutral", glyph: "⊘", word: "revoked" },
};
