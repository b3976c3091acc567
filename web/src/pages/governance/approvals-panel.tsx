import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { ApprovalDecision, ApprovalType, DeploymentRule, Version, VersionApproval } from "@versioner/client";
import { useState } from "react";

import { approvalsQuery, decideOnVersion, revokeApproval } from "../../api/approvals";
import { environmentId, environmentNamesQuery } from "../../api/names";
import { rulesQuery } from "../../api/rules";
import { sessionQuery, usePermission } from "../../api/session";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { Name } from "../../components/name";
import { ReadOnlyNote, RoleNote } from "../../components/no-permission";
import { ObjectList } from "../../components/object-list";
import { Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState } from "../../components/states";
import { Time } from "../../components/time";
import { ConfirmDialog } from "../../forms/confirm-dialog";
import { CreateDialog } from "../../forms/create-dialog";
import { FieldProblem, type FormField } from "../../forms/fields";
import { serverNow } from "../../lib/clock";
import { missingApprovals, typeToGive } from "./missing-approvals";
import { APPROVAL_TYPES, approvalTypesOf, decidesAll } from "./texts";

type Action = { kind: "decide"; decision: ApprovalDecision } | { kind: "revoke"; approval: VersionApproval };

/** The decisions about a version, and the buttons of users who may decide. */
export function ApprovalsPanel({ version }: { version: Version }) {
  const query = useInfiniteQuery(approvalsQuery(version.id));
  const { data: session } = useQuery(sessionQuery);
  const mayApprove = usePermission("versions.approve");
  const rules = useQuery({ ...rulesQuery, enabled: mayApprove, refetchInterval: false });
  const [action, setAction] = useState<Action | null>(null);
  const decide = (decision: ApprovalDecision) => () => setAction({ kind: "decide", decision });
  return (
    <Panel
      title="Approvals"
      actions={
        mayApprove ? (
          <span className="flex gap-2">
            <Button small onClick={decide("approved")}>
              Approve
            </Button>
            <Button small kind="danger" onClick={decide("rejected")}>
              Reject
            </Button>
          </span>
        ) : null
      }
    >
      <ReadOnlyNote permission="versions.approve" what="approve or reject versions, or revoke decisions" isInPanel />
      {mayApprove && session && !decidesAll(session.role) ? (
        <RoleNote isInPanel>
          {`Your role may decide about ${Object.values(approvalTypesOf(session.role)).join(" and ")}, and revoke your own decisions; administrators and release managers may do the rest.`}
        </RoleNote>
      ) : null}
      <ObjectList
        query={query}
        noun="decisions"
        skeletons={2}
        empty={
          <EmptyState title="No approval yet">
            Deployment rules can require approvals of a version before it is deployed.
          </EmptyState>
        }
      >
        {(approvals, isDimmed) => (
          <RecordList label="Approvals" isDimmed={isDimmed}>
            {approvals.map((approval) => (
              <ApprovalRow
                key={approval.id}
                approval={approval}
                onRevoke={
                  mayApprove && (decidesAll(session?.role) || approval.given_by === session?.user.id)
                    ? () => setAction({ kind: "revoke", approval })
                    : undefined
                }
              />
            ))}
          </RecordList>
        )}
      </ObjectList>
      {action?.kind === "decide" && !rules.isPending && !query.isPending ? (
        <DecisionDialog
          version={version}
          decision={action.decision}
          rules={rules.data ?? []}
          approvals={query.data?.pages.flatMap(({ items }) => items) ?? []}
          types={approvalTypesOf(session?.role)}
          onClose={() => setAction(null)}
        />
      ) : null}
      {action?.kind === "revoke" ? (
        <ConfirmDialog
          title={`Revoke the ${action.approval.decision === "approved" ? "approval" : "rejection"}`}
          action="Revoke"
          run={() => revokeApproval(version.id, action.approval.id)}
          onDone={() => setAction(null)}
          onClose={() => setAction(null)}
        >
          It stays in the list, but does not count any more. An earlier decision of the same type counts again.
        </ConfirmDialog>
      ) : null}
    </Panel>
  );
}

interface RowProps {
  approval: VersionApproval;
  onRevoke: (() => void) | undefined;
}

function ApprovalRow({ approval, onRevoke }: RowProps) {
  const type = APPROVAL_TYPES[approval.approval_type];
  return (
    <RecordRow
      title={
        <>
          <DecisionBadge approval={approval} />
          <span className="font-medium">{type}</span>
          {approval.environment_name ? (
            <span className="min-w-0 text-muted">
              for <Name className="text-text">{approval.environment_name}</Name>
            </span>
          ) : null}
        </>
      }
      facts={
        <>
          <Fact label="By">
            <Name>{approval.given_by_name}</Name>
          </Fact>
          <Time at={approval.created_at} />
          {approval.revoked_at ? (
            <Fact label="Revoked">
              <Time at={approval.revoked_at} />
              {approval.revoked_by_name ? (
                <>
                  {" by "}
                  <Name>{approval.revoked_by_name}</Name>
                </>
              ) : null}
            </Fact>
          ) : null}
        </>
      }
      actions={
        onRevoke && !approval.revoked_at ? (
          <Button small aria-label={`Revoke ${type}: ${approval.decision}`} onClick={onRevoke}>
            Revoke
          </Button>
        ) : null
      }
    >
      {approval.comments ? <Name className="text-sm break-words whitespace-pre-wrap">{approval.comments}</Name> : null}
    </RecordRow>
  );
}

function DecisionBadge({ approval: { decision, counts, revoked_at } }: { approval: VersionApproval }) {
  if (revoked_at) {
    return (
      <Badge tone="neutral" glyph="⊘">
        {`${decision}, revoked`}
      </Badge>
    );
  }
  if (!counts) {
    return (
      <Badge tone="neutral" glyph="·">
        {`${decision}, replaced`}
      </Badge>
    );
  }
  return decision === "approved" ? (
    <Badge tone="good" glyph="✓">
      approved
    </Badge>
  ) : (
    <Badge tone="bad" glyph="✕">
      rejected
    </Badge>
  );
}

interface Decision {
  approval_type: ApprovalType;
  environment?: string;
  comments?: string;
}

interface DecisionDialogProps {
  version: Version;
  decision: ApprovalDecision;
  rules: readonly DeploymentRule[];
  approvals: readonly VersionApproval[];
  types: Readonly<Record<string, string>>;
  onClose: () => void;
}

/** Sends a decision. The server checks whether a rejection has comments. */
function DecisionDialog({ version, decision, rules, approvals, types, onClose }: DecisionDialogProps) {
  const fields: readonly FormField[] = [
    { name: "approval_type", label: "Type", kind: "choice", choices: types },
    {
      name: "environment",
      label: "Environment",
      kind: "name",
      maxLength: 255,
      placeholder: "All",
      suggestions: environmentNamesQuery,
      member: "environment_id",
    },
    {
      name: "comments",
      label: "Comments",
      kind: "area",
      maxLength: 4000,
      ...(decision === "rejected" ? { help: "A rejection needs a reason." } : {}),
    },
  ];
  const verb = decision === "approved" ? "Approve" : "Reject";
  const missing = missingApprovals(version, rules, approvals, serverNow());
  const given = Object.keys(types) as ApprovalType[];
  const type = decision === "approved" ? typeToGive(given, missing, approvals) : given[0];
  return (
    <CreateDialog
      title={`${verb} ${version.product_name} ${version.version}`}
      action={verb}
      fields={fields}
      initial={{ approval_type: type ?? "" }}
      create={async ({ approval_type, environment, comments }: Decision) => {
        const id = environment ? await environmentId(environment) : undefined;
        if (environment && !id) throw new FieldProblem("environment", "There is no environment with this name.");
        await decideOnVersion(version.id, {
          approval_type,
          decision,
          ...(id ? { environment_id: id } : {}),
          ...(comments ? { comments } : {}),
        });
      }}
      onCreated={onClose}
      onClose={onClose}
    />
  );
}
