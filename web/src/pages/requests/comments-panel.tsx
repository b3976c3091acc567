import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";

import { commentOnRequest, requestCommentsQuery } from "../../api/request-parts";
import { usePermission } from "../../api/session";
import { Button } from "../../components/button";
import { Name } from "../../components/name";
import { ReadOnlyNote } from "../../components/no-permission";
import { ObjectList } from "../../components/object-list";
import { Panel } from "../../components/page";
import { RecordList, RecordRow } from "../../components/record-list";
import { EmptyState } from "../../components/states";
import { Time } from "../../components/time";
import { CreateDialog } from "../../forms/create-dialog";
import type { FormField } from "../../forms/fields";

const FIELDS: readonly FormField[] = [
  {
    name: "text",
    label: "Comment",
    kind: "area",
    isRequired: true,
    maxLength: 4000,
    help: "It cannot be changed later.",
  },
];

/** The comments on a request, newest first. */
export function CommentsPanel({ id }: { id: string }) {
  const query = useInfiniteQuery(requestCommentsQuery(id));
  const mayComment = usePermission("requests.comment");
  const [isWriting, setWriting] = useState(false);
  const close = () => setWriting(false);
  return (
    <Panel
      title="Comments"
      actions={
        mayComment ? (
          <Button small onClick={() => setWriting(true)}>
            Comment
          </Button>
        ) : null
      }
    >
      <ReadOnlyNote permission="requests.comment" what="comment on deployment requests" isInPanel />
      <ObjectList query={query} noun="comments" skeletons={2} empty={<EmptyState title="No comment yet" />}>
        {(comments) => (
          <RecordList label="Comments">
            {comments.map((comment) => (
              <RecordRow
                key={comment.id}
                title={
                  <>
                    <Name className="font-medium">{comment.created_by_name}</Name>
                    <Time at={comment.created_at} className="text-sm text-muted" />
                  </>
                }
              >
                <Name className="break-words whitespace-pre-wrap">{comment.text}</Name>
              </RecordRow>
            ))}
          </RecordList>
        )}
      </ObjectList>
      {isWriting ? (
        <CreateDialog
          title="Comment"
          action="Comment"
          fields={FIELDS}
          create={({ text }: { text: string }) => commentOnRequest(id, text)}
          onCreated={close}
          onClose={close}
        />
      ) : null}
    </Panel>
  );
}
