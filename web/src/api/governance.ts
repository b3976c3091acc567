import {
  type BreakGlassGrant,
  type BreakGlassGrantCreate,
  confirmBreakGlassGrant,
  createBreakGlassGrant,
  getGovernanceSettings,
  type GovernanceSettings,
  type GovernanceSettingsPatch,
  listBreakGlassGrants,
  listDeploymentRules,
  listRuleViolations,
  type ListRuleViolationsData,
  reviewBreakGlassGrant,
  revokeBreakGlassGrant,
  type RuleViolation,
  updateGovernanceSettings,
} from "@versioner/client";
import { queryOptions } from "@tanstack/react-query";

import type { Search } from "../lib/search";
import { client } from "./client";
import { ifMatch, listOptions, MAX_PAGE_SIZE, PAGE_SIZE, presentIn, type Revised } from "./lists";
import { queryClient } from "./query-client";

export const VIOLATION_FILTERS = ["rule", "product", "environment", "action", "code", "since", "until"] as const;

type ViolationFilters = NonNullable<ListRuleViolationsData["query"]>;

/** What rules have found about deployments, newest first. */
export const violationsQuery = (filters: Search) =>
  listOptions<RuleViolation>(["rule-violations", filters], (page, signal) =>
    listRuleViolations({
      client,
      signal,
      query: { limit: PAGE_SIZE, ...presentIn<ViolationFilters>(filters), ...page },
    }),
  );

/** The rules to choose from in a filter: an account has at most 100. */
export const ruleChoicesQuery = queryOptions({
  queryKey: ["deployment-rules", "choices"],
  staleTime: 60_000,
  queryFn: async ({ signal }) => (await listDeploymentRules({ client, signal, query: { limit: MAX_PAGE_SIZE } })).items,
});

export const governanceSettingsQuery = queryOptions({
  queryKey: ["governance-settings"],
  queryFn: ({ signal }) => getGovernanceSettings({ client, signal }),
});

export const revisedSettingsQuery = queryOptions({
  queryKey: ["governance-settings", "revised"],
  queryFn: async ({ signal }): Promise<Revised<GovernanceSettings>> => {
    const { data, etag } = await getGovernanceSettings({ client, signal }).answer();
    return { object: data, etag };
  },
});

export const reloadGovernanceSettings = () => queryClient.fetchQuery({ ...revisedSettingsQuery, staleTime: 0 });

export async function changeGovernanceSettings(body: GovernanceSettingsPatch, etag: string | undefined): Promise<void> {
  await updateGovernanceSettings({ client, body, ...ifMatch(etag) });
  await queryClient.invalidateQueries({ queryKey: ["governance-settings"] });
}

/** The break-glass grants of the account, newest first. */
export const grantsQuery = listOptions<BreakGlassGrant>(["break-glass-grants"], (page, signal) =>
  listBreakGlassGrants({ client, signal, query: { limit: PAGE_SIZE, ...page } }),
);

const changed = () => queryClient.invalidateQueries({ queryKey: ["break-glass-grants"] });

export async function createGrant(body: BreakGlassGrantCreate): Promise<void> {
  await createBreakGlassGrant({ client, body });
  await changed();
}

export async function confirmGrant(id: string): Promise<void> {
  await confirmBreakGlassGrant({ client, path: { id } });
  await changed();
}

export async function revokeGrant(id: string): Promise<void> {
  await revokeBreakGlassGrant({ client, path: { id } });
  await changed();
}

export async function reviewGrant(id: string, comments: string | undefined): Promise<void> {
  await reviewBreakGlassGrant({ client, path: { id }, body: comments ? { comments } : {} });
  await changed();
}
