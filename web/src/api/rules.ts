import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import {
  backtestDeploymentRule,
  createDeploymentRule,
  deleteDeploymentRule,
  type DeploymentRule,
  type DeploymentRuleCreate,
  type DeploymentRulePatch,
  getDeploymentRule,
  importDeploymentRuleCalendar,
  listDeploymentCalendar,
  type ListDeploymentCalendarData,
  listDeploymentRules,
  updateDeploymentRule,
} from "@versioner/client";

import { live } from "../lib/live";
import { client } from "./client";
import { ifMatch, MAX_PAGE_SIZE, objectOptions, type Revised } from "./lists";
import { queryClient } from "./query-client";

/** All rules of the account: there are at most 100. */
export const rulesQuery = queryOptions({
  ...live,
  queryKey: ["deployment-rules", "list"],
  queryFn: async ({ signal }) => (await listDeploymentRules({ client, signal, query: { limit: MAX_PAGE_SIZE } })).items,
});

export const ruleQuery = (id: string) =>
  objectOptions(["deployment-rules", id], async (signal): Promise<Revised<DeploymentRule>> => {
    const { data, etag } = await getDeploymentRule({ client, signal, path: { id } }).answer();
    return { object: data, etag };
  });

export const reloadRule = (id: string) => queryClient.fetchQuery({ ...ruleQuery(id), staleTime: 0 });

const changed = async () => {
  await Promise.all(
    ["deployment-rules", "deployment-calendar"].map((kind) => queryClient.invalidateQueries({ queryKey: [kind] })),
  );
};

export const addRule = (body: DeploymentRuleCreate) => createDeploymentRule({ client, body });

export async function changeRule(id: string, body: DeploymentRulePatch, etag: string | undefined): Promise<void> {
  await updateDeploymentRule({ client, path: { id }, body, ...ifMatch(etag) });
  await changed();
}

export async function removeRule(id: string, etag: string | undefined): Promise<void> {
  await deleteDeploymentRule({ client, path: { id }, ...ifMatch(etag) });
  await queryClient.invalidateQueries({ queryKey: ["deployment-calendar"] });
}

/** Replaces the windows of a schedule by the events of an iCalendar file. */
export async function importCalendar(id: string, body: string, etag: string | undefined): Promise<void> {
  await importDeploymentRuleCalendar({ client, path: { id }, body, ...ifMatch(etag) });
  await changed();
}

/** How many days a backtest covers. */
export const BACKTEST_DAYS = 30;

/** What a revision of a rule would have blocked. It is asked once: an account has one backtest at a time. */
export const backtestQuery = ({ object: { id }, etag }: Revised<DeploymentRule>) =>
  queryOptions({
    queryKey: ["backtest", id, etag],
    staleTime: 300_000,
    retry: false,
    refetchOnWindowFocus: false,
    queryFn: ({ signal }) => backtestDeploymentRule({ client, signal, path: { id }, body: { days: BACKTEST_DAYS } }),
  });

type CalendarFilters = NonNullable<ListDeploymentCalendarData["query"]>;

/** The occurrences of windows between two times. With `rule_id`, those of one rule, even if it is disabled. */
export const calendarQuery = (filters: CalendarFilters) =>
  queryOptions({
    queryKey: ["deployment-calendar", filters],
    staleTime: 30_000,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => listDeploymentCalendar({ client, signal, query: filters }),
  });
