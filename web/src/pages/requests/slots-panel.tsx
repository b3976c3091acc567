import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { ApprovalType, DeploymentRequest, DeploymentRequestApproval as Slot } from "@versioner/client";
import { useState } from "react";

import { governanceSettingsQuery } from "../../api/governance";
import { addSlot, type Decision, decideSlot, removeSlot, slotsQuery } from "../../api/request-parts";
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
import type { FormField } from "../../forms/fields";
import { APPROVAL_TYPES, decidesAll, requestApprovalTypesOf } from "../governance/texts";
import { isOpen, SLOT_STATUSES } from "./request-texts";

/** What is done to a slot: a decision is about the activation that the user has seen. */
type Action =
  | { kind: "add" }
  | { kind: "remove"; slot: Slot }
  | { kind: "decide"; slot: Slot; decision: Decision; activation: number };

/** The slots for approvals of a request, and the buttons of users who may decide. */
export function SlotsPanel({ request }: { request: DeploymentRequest }) {
  const query = useInfiniteQuery(slotsQuery(request.id));
  const mayWrite = usePermission("requests.write");
  const may = useDecisions(request);
  const [action, setAction] = useState<Action | null>(null);
  const close = () => setAction(null);
  return (
    <Panel
      title="Approvals"
      actions={
        mayWrite && isOpen(request.status) ? (
          <Button small onClick={() => setAction({ kind: "add" })}>
            Add an approval
          </Button>
        ) : null
      }
    >
      <ReadOnlyNote permission="requests.approve" what="approve or reject deployment requests" isInPanel />
      {may.note ? <RoleNote isInPanel>{may.note}</RoleNote> : null}
      <ObjectList
        query={query}
        noun="approvals"
        skeletons={2}
        empty={
          <EmptyState title="No approval is asked for">
            Without required approvals, the request is approved when it is activated.
          </EmptyState>
        }
      >
        {(slots) => (
          <RecordList label="Approvals">
            {[...slots].reverse().map((slot) => (
              <SlotRow
                key={slot.id}
                slot={slot}
                decisions={may.decisionsOf(slot)}
                mayRemove={mayWrite && mayRemove(slot, request.status)}
                onDecide={(decision) => setAction({ kind: "decide", slot, decision, activation: request.activation })}
                onRemove={() => setAction({ kind: "remove", slot })}
              />
            ))}
          </RecordList>
        )}
      </ObjectList>
      {action?.kind === "add" ? <AddSlot request={request} onClose={close} /> : null}
      {action?.kind === "remove" ? <RemoveSlot id={request.id} slot={action.slot} onClose={close} /> : null}
      {action?.kind === "decide" ? <DecisionDialog id={request.id} {...action} onClose={close} /> : null}
    </Panel>
  );
}

/** A rejection is reset, not removed with its slot. */
function mayRemove(slot: Slot, status: DeploymentRequest["status"]) {
  return slot.required ? status === "draft" : isOpen(status) && slot.status !== "rejected";
}

interface Decisions {
  decisionsOf: (slot: Slot) => readonly Decision[];
  /** Why the user may not decide about all slots now. */
  note: string | null;
}

/** What the user may decide about the slots of a request in its status. The server checks it again. */
function useDecisions({ status, created_by, activated_by }: DeploymentRequest): Decisions {
  const { data: session } = useQuery(sessionQuery);
  const { data: settings } = useQuery(governanceSettingsQuery);
  const mayApprove = usePermission("requests.approve");
  if (!session || !settings || !mayApprove) return { decisionsOf: () => [], note: null };
  const { role, user } = session;
  const types = requestApprovalTypesOf(role);
  const isRequester = created_by === user.id || activated_by === user.id;
  const isExcluded = isRequester && !settings.requester_may_approve;
  const isDecidable = status === "in_progress" || status === "approved";
  const decisionsOf = (slot: Slot): readonly Decision[] => {
    const decisions: Decision[] =
      isDecidable && !isExcluded && slot.approval_type in types ? ["approve", "reject"] : [];
    if (slot.status !== "rejected" || !isOpen(status)) return decisions;
    return decidesAll(role) || slot.decided_by === user.id ? [...decisions, "reset"] : decisions;
  };
  const notes = [];
  if (!decidesAll(role)) notes.push(`Your role may decide about ${Object.values(types).join(" and ")}.`);
  if (status === "draft") notes.push("Approvals can be given once the request is activated.");
  else if (isDecidable && isExcluded) {
    const verb = created_by === user.id ? "have made" : "activated";
    notes.push(`You ${verb} this request: another user decides about it.`);
  } else if (status === "rejected") {
    notes.push("A rejection is reset by the user who gave it, an administrator or a release manager.");
  }
  return { decisionsOf, note: isOpen(status) && notes.length > 0 ? notes.join(" ") : null };
}

const DECISION_TEXTS: Readonly<Record<Decision, string>> = { approve: "Approve", reject: "Reject", reset: "Reset" };

interface RowProps {
  slot: Slot;
  decisions: readonly Decision[];
  mayRemove: boolean;
  onDecide: (decision: Decision) => void;
  onRemove: () => void;
}

function SlotRow({ slot, decisions, mayRemove, onDecide, onRemove }: RowProps) {
  const { tone, glyph, word } = SLOT_STATUSES[slot.status];
  const type = APPROVAL_TYPES[slot.approval_type];
  return (
    <RecordRow
      title={
        <>
          <Badge tone={tone} glyph={glyph}>
            {word}
          </Badge>
          <span className="font-medium">{type}</span>
          {slot.required ? null : <span className="text-sm text-muted">optional</span>}
        </>
      }
      facts={
        slot.decided_by_name ? (
          <>
            <Fact label="By">
              <Name>{slot.decided_by_name}</Name>
              {slot.approver_role ? ` (${slot.approver_role.replaceAll("_", " ")})` : null}
            </Fact>
            <Time at={slot.decided_at} />
          </>
        ) : null
      }
      actions={
        <>
          {decisions.map((decision) => (
            <Button
              key={decision}
              small
              kind={decision === "reject" ? "danger" : "secondary"}
              aria-label={`${DECISION_TEXTS[decision]} ${type}`}
              onClick={() => onDecide(decision)}
            >
              {DECISION_TEXTS[decision]}
            </Button>
          ))}
          {mayRemove ? (
            <Button small kind="quiet" aria-label={`Remove ${type}`} onClick={onRemove}>
              Remove
            </Button>
          ) : null}
        </>
      }
    >
      {slot.comments ? <Name className="text-sm break-words whitespace-pre-wrap">{slot.comments}</Name> : null}
    </RecordRow>
  );
}

const COMMENTS: FormField = { name: "comments", label: "Comments", kind: "area", maxLength: 4000 };

interface DecisionDialogProps {
  id: string;
  slot: Slot;
  decision: Decision;
  activation: number;
  onClose: () => void;
}

function DecisionDialog({ id, slot, decision, activation, onClose }: DecisionDialogProps) {
  const verb = DECISION_TEXTS[decision];
  const type = APPROVAL_TYPES[slot.approval_type];
  return (
    <CreateDialog
      title={`${verb}: ${type}`}
      action={verb}
      fields={[{ ...COMMENTS, ...(decision === "reject" ? { help: "A rejection needs a reason." } : {}) }]}
      create={({ comments }: { comments?: string }) =>
        decideSlot(id, slot.id, decision, { activation, ...(comments ? { comments } : {}) })
      }
      onCreated={onClose}
      onClose={onClose}
    >
      {decision === "reset" ? (
        <p className="text-muted">The rejection stays in the activity, and the approval is open again.</p>
      ) : null}
    </CreateDialog>
  );
}

function RemoveSlot({ id, slot, onClose }: { id: string; slot: Slot; onClose: () => void }) {
  const type = APPROVAL_TYPES[slot.approval_type];
  return (
    <ConfirmDialog
      title={`Remove the approval: ${type}`}
      action="Remove"
      run={() => removeSlot(id, slot.id)}
      onDone={onClose}
      onClose={onClose}
    >
      {`The request does not ask for it any more${slot.status === "pending" ? "." : ", and its decision goes with it."}`}
    </ConfirmDialog>
  );
}

/** Required approvals are added to drafts only. */
function AddSlot({ request, onClose }: { request: DeploymentRequest; onClose: () => void }) {
  const isDraft = request.status === "draft";
  const fields: readonly FormField[] = [
    { name: "approval_type", label: "Type", kind: "choice", choices: APPROVAL_TYPES },
    ...(isDraft ? [{ name: "required", label: "Required", kind: "check" } as const] : []),
  ];
  return (
    <CreateDialog
      title="Add an approval"
      action="Add"
      fields={fields}
      initial={{ approval_type: "uat", ...(isDraft ? { required: "on" } : {}) }}
      create={({ approval_type, required = false }: { approval_type: ApprovalType; required?: boolean }) =>
        addSlot(request.id, { approval_type, required })
      }
      onCreated={onClose}
      onClose={onClose}
    >
      {isDraft ? null : (
        <p className="text-muted">The request is not a draft any more: approvals that are added now are optional.</p>
      )}
    </CreateDialog>
  );
}
