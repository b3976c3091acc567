import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { NotificationChannel, Recipient } from "@versioner/client";
import { useState } from "react";

import { channelsQuery, resendConfirmations, testChannel, updateChannel } from "../../api/notifications";
import { usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { Name } from "../../components/name";
import { Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState, InlineError, WhenLoaded } from "../../components/states";
import { Time } from "../../components/time";
import { type ChannelAction, ChannelDialogs } from "./channel-dialogs";
import { NotificationsFrame } from "./frame";
import { errorText, TYPE_NAMES } from "./texts";

/** The channels of the account with the health of their receivers. */
export default function ChannelsPage() {
  const query = useQuery(channelsQuery);
  const mayWrite = usePermission("integrations.write");
  const [action, setAction] = useState<ChannelAction | null>(null);
  return (
    <NotificationsFrame
      page="Channels"
      actions={
        <Button kind="primary" onClick={() => setAction({ kind: "create" })}>
          Create a channel
        </Button>
      }
    >
      <Panel>
        <WhenLoaded query={query} skeletons={4}>
          {(channels) =>
            channels.length === 0 ? (
              <EmptyState title="No channel yet">
                A channel is a receiver of messages. Its preferences say which events it gets.
              </EmptyState>
            ) : (
              <RecordList label="Channels">
                {channels.map((channel) => (
                  <ChannelRow key={channel.id} channel={channel} onAction={mayWrite ? setAction : undefined} />
                ))}
              </RecordList>
            )
          }
        </WhenLoaded>
      </Panel>
      {action ? <ChannelDialogs action={action} onAction={setAction} /> : null}
    </NotificationsFrame>
  );
}

type OnAction = ((action: ChannelAction) => void) | undefined;

function ChannelRow({ channel, onAction }: { channel: NotificationChannel; onAction: OnAction }) {
  const { name, config } = channel;
  const test = useMutation({ mutationFn: () => testChannel(channel.id) });
  return (
    <RecordRow
      title={
        <>
          <Name className="font-medium">{name}</Name>
          <Health channel={channel} />
        </>
      }
      facts={
        <>
          <span>{TYPE_NAMES[channel.channel_type]}</span>
          {config.url || config.webhook_url ? <Name>{config.url ?? config.webhook_url ?? ""}</Name> : null}
          {channel.channel_type === "webhook" ? <span>{config.secret ? "signed" : "not signed"}</span> : null}
          {channel.failing_since ? (
            <Fact label="Failing since">
              <Time at={channel.failing_since} />
            </Fact>
          ) : null}
          <ChannelLink channel={channel} to="/notifications/preferences" text="Preferences" />
          <ChannelLink channel={channel} to="/notifications/history" text="History" />
        </>
      }
      actions={
        onAction ? (
          <>
            <Button small busy={test.isPending} aria-label={`Test ${name}`} onClick={() => test.mutate()}>
              Test
            </Button>
            <Button small aria-label={`Edit ${name}`} onClick={() => onAction({ kind: "edit", channel })}>
              Edit
            </Button>
            {channel.channel_type === "webhook" ? (
              <Button
                small
                aria-label={`New secret for ${name}`}
                onClick={() => onAction({ kind: "new-secret", channel })}
              >
                New secret
              </Button>
            ) : null}
            <Button
              small
              kind="danger"
              aria-label={`Delete ${name}`}
              onClick={() => onAction({ kind: "delete", channel })}
            >
              Delete
            </Button>
          </>
        ) : null
      }
    >
      <Recipients channel={channel} mayWrite={onAction !== undefined} />
      {channel.enabled ? null : <Disabled channel={channel} mayWrite={onAction !== undefined} />}
      {test.data ? <TestResult result={test.data} /> : null}
      <InlineError error={test.error} />
    </RecordRow>
  );
}

function ChannelLink({ channel, to, text }: { channel: NotificationChannel; to: string; text: string }) {
  return (
    <AppLink
      to={to}
      search={{ channel_id: channel.id }}
      aria-label={`${text} of ${channel.name}`}
      className="inline-flex min-h-6 items-center text-accent underline"
    >
      {text}
    </AppLink>
  );
}

function Health({ channel }: { channel: NotificationChannel }) {
  if (!channel.enabled)
    return (
      <Badge tone="bad" glyph="⊘">
        disabled
      </Badge>
    );
  if (channel.failing_since)
    return (
      <Badge tone="bad" glyph="✕">
        failing
      </Badge>
    );
  if (channel.channel_type === "email" && !channel.recipients.some(({ confirmed_at }) => confirmed_at))
    return (
      <Badge tone="warn" glyph="○">
        not confirmed
      </Badge>
    );
  return (
    <Badge tone="good" glyph="✓">
      enabled
    </Badge>
  );
}

const REASONS = {
  gone: "The receiver answered that it no longer exists (410).",
  failing: "The receiver failed for five days.",
} as const;

function Disabled({ channel, mayWrite }: { channel: NotificationChannel; mayWrite: boolean }) {
  const queries = useQueryClient();
  const enable = useMutation({
    mutationFn: () => updateChannel(channel.id, { enabled: true }),
    onSuccess: () => queries.invalidateQueries({ queryKey: channelsQuery.queryKey }),
  });
  return (
    <div className="flex flex-wrap items-center gap-2 text-sm text-muted">
      <span>
        {channel.disabled_reason ? REASONS[channel.disabled_reason] : "A user disabled it."}{" "}
        {channel.disabled_at ? <Time at={channel.disabled_at} /> : null}
      </span>
      {mayWrite ? (
        <Button small busy={enable.isPending} aria-label={`Enable ${channel.name}`} onClick={() => enable.mutate()}>
          Enable
        </Button>
      ) : null}
      <InlineError error={enable.error} />
    </div>
  );
}

function Recipients({ channel, mayWrite }: { channel: NotificationChannel; mayWrite: boolean }) {
  const queries = useQueryClient();
  const resend = useMutation({
    mutationFn: () => resendConfirmations(channel.id),
    onSuccess: () => queries.invalidateQueries({ queryKey: channelsQuery.queryKey }),
  });
  if (channel.recipients.length === 0) return null;
  const isWaiting = channel.recipients.some(({ confirmed_at }) => !confirmed_at);
  return (
    <div className="flex flex-col items-start gap-1 text-sm">
      <ul aria-label={`Recipients of ${channel.name}`}>
        {channel.recipients.map((recipient) => (
          <RecipientLine key={recipient.address} recipient={recipient} />
        ))}
      </ul>
      {isWaiting && mayWrite ? (
        <Button
          small
          busy={resend.isPending}
          aria-label={`Resend confirmations of ${channel.name}`}
          onClick={() => resend.mutate()}
        >
          Resend confirmations
        </Button>
      ) : null}
      {resend.isSuccess ? (
        <p role="status" className="text-muted">
          Sent to those whose last one is older than an hour.
        </p>
      ) : null}
      <InlineError error={resend.error} />
    </div>
  );
}

function RecipientLine({ recipient: { address, confirmed_at, requested_at } }: { recipient: Recipient }) {
  return (
    <li className="flex flex-wrap gap-x-2">
      <Name>{address}</Name>
      <span className="text-muted">
        {confirmed_at ? (
          <>
            ✓ confirmed <Time at={confirmed_at} />
          </>
        ) : requested_at ? (
          <>
            ○ not confirmed; asked <Time at={requested_at} />
          </>
        ) : (
          "○ not confirmed; the link has expired"
        )}
      </span>
    </li>
  );
}

function TestResult({ result }: { result: Awaited<ReturnType<typeof testChannel>> }) {
  const status = result.response_status ? ` Response ${result.response_status}.` : "";
  return (
    <p
      role="status"
      className={
        result.delivered
          ? "rounded-md bg-good-soft px-3 py-2 text-sm text-good"
          : "rounded-md bg-bad-soft px-3 py-2 text-sm text-bad"
      }
    >
      {result.delivered
        ? `✓ The test message is delivered, in ${result.latency_ms} ms.${status}`
        : `✕ The test message is not delivered: ${errorText(result.error_class) ?? "unknown reason"}.${status}`}
    </p>
  );
}
