import type { DeploymentRequest } from "@versioner/client";

import { AppLink } from "../../components/app-link";
import { Name } from "../../components/name";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { Time } from "../../components/time";
import { RequestBadge } from "./request-badge";
import { count, isOpen, openTypesText } from "./request-texts";

/** Deployment requests as rows. */
export function RequestRows({ requests, isDimmed }: { requests: readonly DeploymentRequest[]; isDimmed: boolean }) {
  return (
    <RecordList label="Deployment requests" isDimmed={isDimmed}>
      {requests.map((request) => (
        <RequestRow key={request.id} request={request} />
      ))}
    </RecordList>
  );
}

function RequestRow({ request }: { request: DeploymentRequest }) {
  const { id, name, status, environments, version_count, open_pre_steps } = request;
  const mayWait = isOpen(status) && status !== "rejected";
  const open = mayWait ? openTypesText(request) : "";
  return (
    <RecordRow
      title={
        <>
          <RequestBadge status={status} />
          <AppLink
            to={`/deployment-requests/${id}`}
            className="min-h-6 min-w-0 rounded font-medium text-accent hover:underline"
          >
            <Name className="break-words">{name}</Name>
          </AppLink>
        </>
      }
      facts={
        <>
          <Fact label="To">
            <Name className="break-words">
              {environments.map((one) => one.name).join(", ") || "no environment yet"}
            </Name>
          </Fact>
          <span>{count(version_count, "version", "versions")}</span>
          {open ? <Fact label="Open approvals">{open}</Fact> : null}
          {mayWait && open_pre_steps > 0 ? <Fact label="Open steps before">{open_pre_steps}</Fact> : null}
          <Fact label="Created">
            <Time at={request.created_at} /> by <Name>{request.created_by_name}</Name>
          </Fact>
        </>
      }
    />
  );
}
