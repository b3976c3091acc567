import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { BreakGlassGrant } from "@versioner/client";
import { useState } from "react";

import { grantsQuery } from "../../api/governance";
import { sessionQuery, usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { Name, VersionName } from "../../components/name";
import { ReadOnlyNote } from "../../components/no-permission";
import { ObjectList } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState } from "../../components/states";
import { Time } from "../../components/time";
import { type GrantAction, GrantDialogs } from "./grant-dialogs";
import { GRANT_STATES, RULE_TYPES } from "./texts";

/** The grants with which a version may be deployed once although rules block it. */
export default function GrantsPage() {
  const query = useInfiniteQuery(grantsQuery);
  const mayWrite = usePermission("breakglass.write");
  const [action, setAction] = useState<GrantAction | null>(null);
  return (
    <Page
      title="Break-glass grants"
      lead="Each lets one version be deployed once although rules block it; all administrators get an e-mail"
      actions={
        mayWrite ? (
          <Button kind="danger" onClick={() => setAction({ kind: "create" })}>
            Create a grant
          </Button>
        ) : null
      }
    >
      <ReadOnlyNote permission="breakglass.write" what="create, confirm, revoke or review break-glass grants" />
      <Panel>
        <ObjectList
          query={query}
          noun="grants"
          skeletons={4}
          empty={
            <EmptyState title="No grant yet">
              Create one in an emergency, when waiting for the rules would be worse.
            </EmptyState>
          }
        >
          {(grants, isDimmed) => (
            <RecordList label="Break-glass grants" isDimmed={isDimmed}>
              {grants.map((grant) => (
                <GrantRow key={grant.id} grant={grant} onAction={mayWrite ? setAction : undefined} />
              ))}
            </RecordList>
          )}
        </ObjectList>
      </Panel>
      {action ? <GrantDialogs action={action} onClose={() => setAction(null)} /> : null}
    </Page>
  );
}

interface RowProps {
  grant: BreakGlassGrant;
  onAction: ((action: GrantAction) => void) | undefined;
}

function GrantRow({ grant, onAction }: RowProps) {
  const { tone, glyph, word } = GRANT_STATES[grant.status];
  return (
    <RecordRow
      title={
        <>
          <Badge tone={tone} glyph={glyph}>
            {word}
          </Badge>
          <span className="min-w-0">
            <Name className="font-medium">{grant.product_name}</Name> <VersionName>{grant.version}</VersionName>
            {" to "}
            <Name>{grant.environment_name}</Name>
          </span>
          {isEnded(grant) && !grant.reviewed_at ? (
            <Badge tone="warn" glyph="?">
              not reviewed
            </Badge>
          ) : null}
        </>
      }
      facts={<GrantFacts grant={grant} />}
      actions={onAction ? <Actions grant={grant} onAction={onAction} /> : null}
    >
      <Name className="text-sm break-words whitespace-pre-wrap">{grant.reason}</Name>
      {grant.review_comments ? (
        <p className="text-sm text-muted">
          Review: <Name className="break-words whitespace-pre-wrap">{grant.review_comments}</Name>
        </p>
      ) : null}
    </RecordRow>
  );
}

const isEnded = ({ status }: BreakGlassGrant) => status === "used" || status === "expired" || status === "revoked";

function GrantFacts({ grant }: { grant: BreakGlassGrant }) {
  return (
    <>
      <Step label="Created" at={grant.created_at} by={grant.created_by_name} />
      <Fact label="For">{`${grant.minutes} min`}</Fact>
      <Fact label="Rules">{grant.rule_types.map((type) => RULE_TYPES[type].toLowerCase()).join(", ")}</Fact>
      {grant.status === "awaiting_second" ? <Step label="Confirm until" at={grant.confirm_until} /> : null}
      <Step label="Confirmed" at={grant.confirmed_at} by={grant.confirmed_by_name} />
      {grant.status === "active" ? <Step label="Expires" at={grant.expires_at} /> : null}
      {grant.status === "expired" ? <Step label="Expired" at={grant.expires_at ?? grant.confirm_until} /> : null}
      {grant.used_at ? (
        <Fact label="Used">
          <Time at={grant.used_at} />
          {grant.used_deployment_id ? (
            <>
              {" by "}
              <AppLink to={`/deployments/${grant.used_deployment_id}`} className="rounded text-accent underline">
                this deployment
              </AppLink>
            </>
          ) : null}
        </Fact>
      ) : null}
      <Step label="Revoked" at={grant.revoked_at} by={grant.revoked_by_name} />
      <Step label="Reviewed" at={grant.reviewed_at} by={grant.reviewed_by_name} />
    </>
  );
}

function Step({ label, at, by }: { label: string; at: string | null; by?: string | null }) {
  if (!at) return null;
  return (
    <Fact label={label}>
      <Time at={at} />
      {by ? (
        <>
          {" by "}
          <Name>{by}</Name>
        </>
      ) : null}
    </Fact>
  );
}

function Actions({ grant, onAction }: { grant: BreakGlassGrant; onAction: (action: GrantAction) => void }) {
  const { data: session } = useQuery(sessionQuery);
  const isCreator = grant.created_by === session?.user.id;
  const name = `${grant.product_name} ${grant.version}`;
  return (
    <>
      {grant.status === "awaiting_second" && !isCreator ? (
        <Button small aria-label={`Confirm ${name}`} onClick={() => onAction({ kind: "confirm", grant })}>
          Confirm
        </Button>
      ) : null}
      {grant.status === "awaiting_second" || grant.status === "active" ? (
        <Button small kind="danger" aria-label={`Revoke ${name}`} onClick={() => onAction({ kind: "revoke", grant })}>
          Revoke
        </Button>
      ) : null}
      {isEnded(grant) && !grant.reviewed_at && !isCreator ? (
        <Button small aria-label={`Review ${name}`} onClick={() => onAction({ kind: "review", grant })}>
          Review
        </Button>
      ) : null}
    </>
  );
}
