import type { ApprovalType, Role } from "@versioner/client";

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
