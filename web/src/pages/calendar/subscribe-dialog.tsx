import { useInfiniteQuery } from "@tanstack/react-query";
import type { CalendarFeed, CreatedCalendarFeed } from "@versioner/client";
import { useState } from "react";

import { createFeed, feedsQuery, revokeFeed } from "../../api/calendar-feeds";
import { serverURL } from "../../api/client";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Name } from "../../components/name";
import { ObjectList } from "../../components/object-list";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { SecretDialog } from "../../components/secret";
import { EmptyState } from "../../components/states";
import { Time } from "../../components/time";
import { ConfirmDialog } from "../../forms/confirm-dialog";
import { CreateDialog } from "../../forms/create-dialog";
import type { FormField } from "../../forms/fields";

type Step =
  { kind: "list" | "create" } | { kind: "created"; feed: CreatedCalendarFeed } | { kind: "revoke"; feed: CalendarFeed };

const FIELDS: readonly FormField[] = [
  {
    name: "name",
    label: "Name",
    kind: "text",
    isRequired: true,
    maxLength: 100,
    help: "Where the address is used, such as the calendar of the team.",
  },
];

/** The feeds of the calendar: an address is shown once, when it is created. */
export function SubscribeDialog({ onClose }: { onClose: () => void }) {
  const [step, setStep] = useState<Step>({ kind: "list" });
  const back = () => setStep({ kind: "list" });
  switch (step.kind) {
    case "list":
      return <FeedList onStep={setStep} onClose={onClose} />;
    case "create":
      return (
        <CreateDialog
          title="Create an address"
          fields={FIELDS}
          create={({ name }: { name: string }) => createFeed(name)}
          onCreated={(feed) => setStep({ kind: "created", feed })}
          onClose={back}
        />
      );
    case "created":
      return (
        <SecretDialog
          title={`The address ${step.feed.name}`}
          label="Address of the calendar"
          secret={new URL(step.feed.url, `${serverURL}/`).href}
          onClose={back}
        >
          <p className="text-sm text-muted">
            Add it as a subscription in Google Calendar, Outlook or Apple Calendar. The address alone permits reading
            the calendar, until you revoke it.
          </p>
        </SecretDialog>
      );
    case "revoke":
      return (
        <ConfirmDialog
          title="Revoke the address"
          action="Revoke"
          run={() => revokeFeed(step.feed.id)}
          onDone={back}
          onClose={back}
        >
          Calendar programs with the address <Name className="font-semibold">{step.feed.name}</Name> get no calendar any
          more.
        </ConfirmDialog>
      );
  }
}

function FeedList({ onStep, onClose }: { onStep: (step: Step) => void; onClose: () => void }) {
  const query = useInfiniteQuery(feedsQuery);
  return (
    <Dialog title="Subscribe to the calendar" onClose={onClose}>
      <div className="flex flex-col gap-3 p-4">
        <p className="text-muted">
          Calendar programs read the deployment calendar at an address that has a secret in it.
        </p>
        <Button kind="primary" className="self-start" onClick={() => onStep({ kind: "create" })}>
          Create an address
        </Button>
      </div>
      <div className="border-t border-line">
        <ObjectList query={query} noun="addresses" skeletons={2} empty={<EmptyState title="No address yet" />}>
          {(feeds, isDimmed) => (
            <RecordList label="Addresses" isDimmed={isDimmed}>
              {feeds.map((feed) => (
                <RecordRow
                  key={feed.id}
                  title={<Name className="font-medium">{feed.name}</Name>}
                  facts={
                    <>
                      <Fact label="By">
                        <Name>{feed.created_by_name}</Name>
                      </Fact>
                      <Time at={feed.created_at} />
                      <Fact label="Last used">{feed.last_used_at ? <Time at={feed.last_used_at} /> : "never"}</Fact>
                    </>
                  }
                  actions={
                    <Button
                      small
                      kind="danger"
                      aria-label={`Revoke ${feed.name}`}
                      onClick={() => onStep({ kind: "revoke", feed })}
                    >
                      Revoke
                    </Button>
                  }
                />
              ))}
            </RecordList>
          )}
        </ObjectList>
      </div>
    </Dialog>
  );
}
