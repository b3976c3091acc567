import type { ApprovalType, DeploymentRule, Version, VersionApproval } from "@versioner/client";

/**
 * The approvals that rules require of a version and that it does not have at the time, in the order of the rules. Disabled rules require none.
 */
export function missingApprovals(
  version: Pick<Version, "product_id" | "product_name">,
  rules: readonly DeploymentRule[],
  approvals: readonly VersionApproval[],
  now: number,
): ApprovalType[] {
  const names = [version.product_id, version.product_name.toLowerCase()];
  return rules.flatMap(({ mode, scope, version_approval_required: required }) => {
    const isMeant = scope.products.length === 0 || scope.products.some((name) => names.includes(name.toLowerCase()));
    if (!required || mode === "disabled" || !isMeant) return [];
    const { required_approvals: types, environment, approval_timeout_hours: hours } = required;
    const isGiven = (type: ApprovalType) =>
      approvals.some(
        (one) =>
          one.approval_type === type &&
          one.counts &&
          one.decision === "approved" &&
          (environment === null ||
            [one.environment_id, one.environment_name?.toLowerCase()].includes(environment.toLowerCase())) &&
          (hours === null || Date.parse(one.created_at) + hours * 3_600_000 > now),
      );
    return types.filter((type) => !isGiven(type));
  });
}

/** The first type that the user may give and that is missing; else the first without an approval; else the first. */
export function typeToGive(
  types: readonly ApprovalType[],
  missing: readonly ApprovalType[],
  approvals: readonly VersionApproval[],
): ApprovalType | undefined {
  const isApproved = (type: ApprovalType) =>
    approvals.some((one) => one.approval_type === type && one.counts && one.decision === "approved");
  return missing.find((type) => types.includes(type)) ?? types.find((type) => !isApproved(type)) ?? types[0];
}
