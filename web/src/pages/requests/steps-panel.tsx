import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import type { DeploymentRequest, DeploymentRequestStep as Step, DeploymentRequestStepAdd } from "@versioner/client";
import { useState } from "react";

import { addStep, finishStep, removeStep, stepsQuery } from "../../api/request-parts";
import { usePermission } from "../../api/session";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { Name } from "../../components/name";
import { ReadOnlyNote } from "../../components/no-permission";
import { ObjectList } from "../../components/object-list";
import { Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState, InlineError } from "../../components/states";
import { Time } from "../../components/time";
import { CreateDialog } from "../../forms/create-dialog";
import type { FormField } from "../../forms/fields";
import { isOpen, PHASES } from "./request-texts";

/** What is to do before and after the deployments. */
export function StepsPanel({ request: { id, status } }: { request: DeploymentRequest }) {
  const query = useInfiniteQuery(stepsQuery(id));
  const mayWrite = usePermission("requests.write") && isOpen(status);
  const mayFinish = usePermission("requests.comment") && isOpen(status);
  const [isAdding, setAdding] = useState(false);
  const { mutate, isPending, variables, error } = useMutation({
    mutationFn: async ({ step, isRemoval }: { step: Step; isRemoval: boolean }): Promise<unknown> =>
      isRemoval ? removeStep(id, step.id) : finishStep(id, step.id, step.completed_at === null),
  });
  return (
    <Panel
      title="Steps"
      actions={
        mayWrite ? (
          <Button small onClick={() => setAdding(true)}>
            Add a step
          </Button>
        ) : null
      }
    >
      <ReadOnlyNote permission="requests.comment" what="complete steps" isInPanel />
      {error ? (
        <div className="p-4">
          <InlineError error={error} />
        </div>
      ) : null}
      <ObjectList
        query={query}
        noun="steps"
        skeletons={2}
        empty={
          <EmptyState title="No step">
            Steps list what is to do by hand before and after the deployments, such as announcing them.
          </EmptyState>
        }
      >
        {(steps) =>
          (["pre", "post"] as const).map((phase) => (
            <Phase key={phase} title={PHASES[phase]} steps={ordered(steps, phase)}>
              {(step) => (
                <StepRow
                  key={step.id}
                  step={step}
                  isBusy={isPending && variables.step.id === step.id}
                  onFinish={mayFinish ? () => mutate({ step, isRemoval: false }) : undefined}
                  onRemove={
                    mayWrite && (phase === "post" || status === "draft")
                      ? () => mutate({ step, isRemoval: true })
                      : undefined
                  }
                />
              )}
            </Phase>
          ))
        }
      </ObjectList>
      {isAdding ? <AddStep id={id} isDraft={status === "draft"} onClose={() => setAdding(false)} /> : null}
    </Panel>
  );
}

const ordered = (steps: readonly Step[], phase: Step["phase"]) =>
  steps
    .filter((step) => step.phase === phase)
    .sort((one, other) => one.position - other.position || (one.id < other.id ? -1 : 1));

interface PhaseProps {
  title: string;
  steps: readonly Step[];
  children: (step: Step) => React.ReactNode;
}

function Phase({ title, steps, children }: PhaseProps) {
  if (steps.length === 0) return null;
  return (
    <>
      <h3 className="border-b border-line bg-raised px-4 py-1.5 text-sm font-medium text-muted not-first:border-t">
        {title}
      </h3>
      <RecordList label={title}>{steps.map(children)}</RecordList>
    </>
  );
}

interface RowProps {
  step: Step;
  isBusy: boolean;
  onFinish: (() => void) | undefined;
  onRemove: (() => void) | undefined;
}

function StepRow({
  step: { title, description, completed_at, completed_by_name },
  isBusy,
  onFinish,
  onRemove,
}: RowProps) {
  const isDone = completed_at !== null;
  const verb = isDone ? "Reopen" : "Complete";
  return (
    <RecordRow
      title={
        <>
          <Badge tone={isDone ? "good" : "neutral"} glyph={isDone ? "✓" : "○"}>
            {isDone ? "done" : "open"}
          </Badge>
          <Name className="min-w-0 font-medium break-words">{title}</Name>
        </>
      }
      facts={
        isDone ? (
          <>
            <Fact label="By">
              <Name>{completed_by_name ?? ""}</Name>
            </Fact>
            <Time at={completed_at} />
          </>
        ) : null
      }
      actions={
        <>
          {onFinish ? (
            <Button small busy={isBusy} aria-label={`${verb} ${title}`} onClick={onFinish}>
              {verb}
            </Button>
          ) : null}
          {onRemove ? (
            <Button small kind="quiet" busy={isBusy} aria-label={`Remove ${title}`} onClick={onRemove}>
              Remove
            </Button>
          ) : null}
        </>
      }
    >
      {description ? <Name className="text-sm break-words whitespace-pre-wrap">{description}</Name> : null}
    </RecordRow>
  );
}

/** Steps before the deployments are added to drafts only. */
function AddStep({ id, isDraft, onClose }: { id: string; isDraft: boolean; onClose: () => void }) {
  const fields: readonly FormField[] = [
    { name: "title", label: "What to do", kind: "text", isRequired: true, maxLength: 255 },
    { name: "phase", label: "When", kind: "choice", choices: isDraft ? PHASES : { post: PHASES.post } },
    { name: "description", label: "Details", kind: "area", maxLength: 4096 },
  ];
  return (
    <CreateDialog
      title="Add a step"
      action="Add"
      fields={fields}
      initial={{ phase: isDraft ? "pre" : "post" }}
      create={(body: DeploymentRequestStepAdd) => addStep(id, body)}
      onCreated={onClose}
      onClose={onClose}
    />
  );
}
