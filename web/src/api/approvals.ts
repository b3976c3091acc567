import {
  createVersionApproval,
  listVersionApprovals,
  revokeVersionApproval,
  type VersionApprovalCreate,
} from "@versioner/client";

import { client } from "./client";
import { listOptions, PAGE_SIZE } from "./lists";
import { queryClient } from "./query-client";

/** The decisions about a version, newest first. */
export const approvalsQuery = (version: string) =>
  listOptions(["version-approvals", version], (page, signal) =>
    listVersionApprovals({ client, signal, path: { id: version }, query: { limit: PAGE_SIZE, ...page } }),
  );

const changed = () => queryClient.invalidateQueries({ queryKey: ["version-approvals"] });

export async function decideOnVersion(version: string, body: VersionApprovalCreate): Promise<void> {
  await createVersionApproval({ client, path: { id: version }, body });
  await changed();
}

export async function revokeApproval(version: string, id: string): Promise<void> {
  await revokeVersionApproval({ client, path: { id: version, approval_id: id } });
  await changed();
}
