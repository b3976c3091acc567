import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import type { Session } from "@versioner/client";
import { useState } from "react";

import { endAll, endOne, sessionsQuery } from "../../api/sessions";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { Name } from "../../components/name";
import { ObjectList } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState, InlineError } from "../../components/states";
import { Time } from "../../components/time";
import { ConfirmDialog } from "../../forms/confirm-dialog";
import { requireSignIn } from "../../lib/sign-in-state";
import { browserName } from "../../lib/user-agent";

/** Where the user is signed in. */
export default function SessionsPage() {
  const query = useInfiniteQuery(sessionsQuery);
  const [isAsking, setAsking] = useState(false);
  const count = query.data?.pages[0]?.items.length ?? 0;
  return (
    <Page
      title="Sessions"
      lead="Where you are signed in"
      actions={
        count > 0 ? (
          <Button kind="danger" onClick={() => setAsking(true)}>
            Sign out everywhere
          </Button>
        ) : null
      }
    >
      <Panel>
        <ObjectList
          query={query}
          noun="sessions"
          skeletons={3}
          empty={
            <EmptyState title="No session">
              You are signed in with a token of the identity provider, which ends your sessions itself.
            </EmptyState>
          }
        >
          {(sessions) => (
            <RecordList label="Sessions">
              {sessions.map((session) => (
                <SessionRow key={session.id} session={session} />
              ))}
            </RecordList>
          )}
        </ObjectList>
      </Panel>
      {isAsking ? <SignOutEverywhere onClose={() => setAsking(false)} /> : null}
    </Page>
  );
}

function SessionRow({ session }: { session: Session }) {
  const queries = useQueryClient();
  const end = useMutation({
    mutationFn: () => endOne(session.id),
    onSuccess: () => queries.invalidateQueries({ queryKey: sessionsQuery.queryKey }),
  });
  const name = browserName(session.user_agent);
  return (
    <RecordRow
      title={
        <>
          <Name className="font-medium">{name}</Name>
          {session.is_current ? (
            <Badge tone="good" glyph="●">
              this session
            </Badge>
          ) : null}
        </>
      }
      facts={
        <>
          <Name>{session.remote_ip}</Name>
          <Fact label="Last used">
            <Time at={session.last_used_at} />
          </Fact>
          <Fact label="Signed in">
            <Time at={session.created_at} />
          </Fact>
          <Fact label="Ends">
            <Time at={session.expires_at} />
          </Fact>
          <Fact label="Provider">
            <Name>{session.issuer}</Name>
          </Fact>
        </>
      }
      actions={
        session.is_current ? null : (
          <Button
            small
            kind="danger"
            busy={end.isPending}
            aria-label={`End the session of ${name}`}
            onClick={() => end.mutate()}
          >
            End
          </Button>
        )
      }
    >
      <InlineError error={end.error} />
    </RecordRow>
  );
}

function SignOutEverywhere({ onClose }: { onClose: () => void }) {
  return (
    <ConfirmDialog
      title="Sign out everywhere"
      action="Sign out everywhere"
      run={async () => endAll()}
      onDone={() => {
        onClose();
        requireSignIn();
      }}
      onClose={onClose}
    >
      All of your sessions end within a second, this one included. You sign in again to go on.
    </ConfirmDialog>
  );
}
