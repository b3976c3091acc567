import { type AuditEntry, listAuditLog } from "@versioner/client";

import { client } from "./client";
import { listOptions, PAGE_SIZE, presentIn } from "./lists";
import type { Search } from "../lib/search";

export const AUDIT_FILTERS = ["actor_id", "action", "object_id", "since", "until"] as const;

type AuditFilters = NonNullable<Parameters<typeof listAuditLog>[0]["query"]>;

/** The changes by users and commands, newest first. */
export const auditQuery = (filters: Search) =>
  listOptions<AuditEntry>(["audit-log", filters], (page, signal) =>
    listAuditLog({ client, signal, query: { limit: PAGE_SIZE, ...presentIn<AuditFilters>(filters), ...page } }),
  );
