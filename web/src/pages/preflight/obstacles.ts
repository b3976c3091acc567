import type { MissingApproval, Preflight, PreflightViolation } from "@versioner/client";

import { absoluteTime } from "../../lib/time";

const FREEZE = "a freeze";
const NO_WINDOW = "closed deployment windows";
const SOAK = "too little soak time";

/** The kinds that pass at a time that is known. */
const TIMED = [FREEZE, NO_WINDOW, SOAK];

const REASONS: Readonly<Record<string, string>> = {
  no_request: "a missing deployment request",
  not_active: "a deployment request that is not active",
  rejected: "a rejection",
  pre_steps_open: "open steps of a deployment request",
};

function kindOf({ code, details }: PreflightViolation, asked: number): string {
  switch (code) {
    case "NO_DEPLOY_WINDOW":
      return Date.parse(String(details["window_start"])) <= asked ? FREEZE : NO_WINDOW;
    case "DEPLOYMENT_IN_PROGRESS":
      return "another deployment in progress";
    case "FLOW_VIOLATION":
      return "other environments that come first";
    case "INSUFFICIENT_SOAK_TIME":
      return SOAK;
    case "APPROVAL_REQUIRED":
    case "QUALITY_APPROVAL_REQUIRED":
      return REASONS[String(details["reason"])] ?? "a missing approval";
  }
}

/** What blocks a deployment, in words: each kind once, with the time at which the last of it passes. */
export function obstaclesText({ violations, evaluated_at: asked }: Preflight): string {
  const kinds = new Map<string, PreflightViolation[]>();
  for (const one of violations) {
    const kind = kindOf(one, Date.parse(asked));
    kinds.set(kind, [...(kinds.get(kind) ?? []), one]);
  }
  const texts = [...kinds].map(([kind, ofKind]) => {
    const ends = ofKind.map(({ clears_at: end }) => (end ? Date.parse(end) : Number.POSITIVE_INFINITY));
    const last = Math.max(...ends);
    return TIMED.includes(kind) && Number.isFinite(last) ? `${kind} until ${absoluteTime(last)}` : kind;
  });
  return texts.length > 1 ? `${texts.slice(0, -1).join("; ")}; and ${texts.at(-1)}` : (texts[0] ?? "rules");
}

/** The deployment request that a violation is about; null if none is. */
export function requestOf({ details }: PreflightViolation): string | null {
  const id = details["deployment_request_id"];
  return typeof id === "string" ? id : null;
}

/** The missing approvals, each type once of the version, of each deployment request, and of a request that is not there yet. */
export function distinctApprovals({ missing_approvals: missing, violations }: Preflight): MissingApproval[] {
  const bySource = new Map<string, MissingApproval>();
  for (const one of missing) {
    const code = violations.find(({ rule_id }) => rule_id === one.rule_id)?.code;
    const source = `${one.approval_type} ${one.deployment_request_id ?? code}`;
    if (!bySource.has(source)) bySource.set(source, one);
  }
  return [...bySource.values()];
}
