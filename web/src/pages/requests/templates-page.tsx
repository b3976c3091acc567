import { useQuery } from "@tanstack/react-query";
import type { DeploymentRequestTemplate } from "@versioner/client";
import { useState } from "react";

import { requestTemplatesQuery, templateEnvironmentsQuery } from "../../api/request-templates";
import { usePermission } from "../../api/session";
import { Button } from "../../components/button";
import { Trail } from "../../components/loaded";
import { Name } from "../../components/name";
import { ReadOnlyNote } from "../../components/no-permission";
import { Page, Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState, WhenLoaded } from "../../components/states";
import { NewRequestFrom } from "./new-request";
import { count, typesText } from "./request-texts";
import { type TemplateAction, TemplateDialogs } from "./template-dialogs";

type Action = TemplateAction | { kind: "request"; template: DeploymentRequestTemplate };

/** The templates that deployment requests are copied from. */
export default function RequestTemplatesPage() {
  const query = useQuery(requestTemplatesQuery);
  const mayWrite = usePermission("request_templates.write");
  const mayRequest = usePermission("requests.write");
  const [action, setAction] = useState<Action | null>(null);
  const close = () => setAction(null);
  return (
    <Page
      title="Request templates"
      lead={<Trail to="/deployment-requests" label="Deployment requests" />}
      actions={
        mayWrite ? (
          <Button kind="primary" onClick={() => setAction({ kind: "create" })}>
            New template
          </Button>
        ) : null
      }
    >
      <ReadOnlyNote
        permission="request_templates.write"
        what={`create, change or delete request templates${mayRequest ? "" : ", or create requests from them"}`}
      />
      <Panel>
        <WhenLoaded query={query} skeletons={4}>
          {(templates) =>
            templates.length === 0 ? (
              <EmptyState title="No request template yet">
                A template has what most requests need: environments, approvals and steps. New requests are copied from
                it, and stay as they are when it changes.
              </EmptyState>
            ) : (
              <Templates {...{ templates, mayWrite, mayRequest }} onAction={setAction} />
            )
          }
        </WhenLoaded>
      </Panel>
      {action === null ? null : action.kind === "request" ? (
        <NewRequestFrom template={action.template} onClose={close} />
      ) : (
        <TemplateDialogs action={action} onClose={close} />
      )}
    </Page>
  );
}

interface RowProps {
  mayWrite: boolean;
  mayRequest: boolean;
  onAction: (action: Action) => void;
}

function Templates({ templates, ...props }: RowProps & { templates: readonly DeploymentRequestTemplate[] }) {
  const { data: names } = useQuery(templateEnvironmentsQuery(templates));
  return (
    <RecordList label="Request templates">
      {templates.map((template) => (
        <TemplateRow key={template.id} template={template} names={names} {...props} />
      ))}
    </RecordList>
  );
}

interface TemplateRowProps extends RowProps {
  template: DeploymentRequestTemplate;
  /** The names of environments by identifier, once they are known. */
  names: ReadonlyMap<string, string> | undefined;
}

function TemplateRow({ template, names, mayWrite, mayRequest, onAction }: TemplateRowProps) {
  const { name, description, environment_ids, approvals, steps, gate } = template;
  const typesIn = (isRequired: boolean) =>
    typesText(approvals.filter(({ required }) => required === isRequired).map((slot) => slot.approval_type));
  return (
    <RecordRow
      title={<Name className="min-w-0 font-medium break-words">{name}</Name>}
      facts={
        <>
          <Fact label="To">
            <Name className="break-words">
              {environment_ids.length === 0 ? "no environment" : namesText(environment_ids, names)}
            </Name>
          </Fact>
          <Fact label="Required approvals">{typesIn(true) || "none"}</Fact>
          {typesIn(false) ? <Fact label="Optional approvals">{typesIn(false)}</Fact> : null}
          {steps.length > 0 ? <span>{stepsText(steps)}</span> : null}
          <Fact label="Blocks its versions until it is approved">{gate ? "yes" : "no"}</Fact>
        </>
      }
      actions={
        <>
          {mayRequest ? (
            <Button
              small
              aria-label={`New request from ${name}`}
              onClick={() => onAction({ kind: "request", template })}
            >
              New request
            </Button>
          ) : null}
          {mayWrite ? (
            <>
              <Button small aria-label={`Edit ${name}`} onClick={() => onAction({ kind: "edit", template })}>
                Edit
              </Button>
              <Button
                small
                kind="danger"
                aria-label={`Delete ${name}`}
                onClick={() => onAction({ kind: "delete", template })}
              >
                Delete
              </Button>
            </>
          ) : null}
        </>
      }
    >
      {description ? <Name className="line-clamp-3 text-sm break-words whitespace-pre-wrap">{description}</Name> : null}
    </RecordRow>
  );
}

/** The names of the environments; deleted ones are counted, and all while the names are not known. */
function namesText(ids: readonly string[], names: ReadonlyMap<string, string> | undefined): string {
  if (!names) return count(ids.length, "environment", "environments");
  const found = ids.flatMap((id) => names.get(id) ?? []).sort();
  const deleted = ids.length - found.length;
  return [...found, ...(deleted > 0 ? [count(deleted, "deleted environment", "deleted environments")] : [])].join(", ");
}

function stepsText(steps: DeploymentRequestTemplate["steps"]): string {
  const before = steps.filter(({ phase }) => phase === "pre").length;
  const after = steps.length - before;
  const texts = [
    ...(before > 0 ? [`${count(before, "step", "steps")} before`] : []),
    ...(after > 0 ? [`${count(after, "step", "steps")} after`] : []),
  ];
  return `${texts.join(" and ")} the deployments`;
}
