import { useInfiniteQuery } from "@tanstack/react-query";
import type { DeploymentRequestActivity } from "@versioner/client";

import { requestActivityQuery } from "../../api/request-parts";
import { Name } from "../../components/name";
import { ObjectList } from "../../components/object-list";
import { Panel } from "../../components/page";
import { RecordList, RecordRow } from "../../components/record-list";
import { EmptyState } from "../../components/states";
import { Time } from "../../components/time";
import { RequestBadge } from "./request-badge";
import { subjectOf, verbOf } from "./request-texts";

/** What has happened to a request, newest first. */
export function ActivityPanel({ id }: { id: string }) {
  const query = useInfiniteQuery(requestActivityQuery(id));
  return (
    <Panel title="Activity">
      <ObjectList query={query} noun="entries" skeletons={3} empty={<EmptyState title="Nothing has happened yet" />}>
        {(entries) => (
          <RecordList label="Activity">
            {entries.map((entry) => (
              <Entry key={entry.id} entry={entry} />
            ))}
          </RecordList>
        )}
      </ObjectList>
    </Panel>
  );
}

function Entry({
  entry: { action, status, subject, comments, actor_name, occurred_at },
}: {
  entry: DeploymentRequestActivity;
}) {
  return (
    <RecordRow
      title={
        <>
          <span className="min-w-0">
            <Name className="font-medium">{actor_name ?? "The server"}</Name>
            {` ${verbOf(action)}`}
            {subject ? (
              <>
                {" "}
                <Name className="break-words">{subjectOf(action, subject)}</Name>
              </>
            ) : null}
          </span>
          <Time at={occurred_at} className="text-sm text-muted" />
        </>
      }
      actions={<RequestBadge status={status} />}
    >
      {comments ? <Name className="text-sm break-words whitespace-pre-wrap">{comments}</Name> : null}
    </RecordRow>
  );
}
