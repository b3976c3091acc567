import { useInfiniteQuery } from "@tanstack/react-query";
import type { DeploymentTemplate, Variable } from "@versioner/client";
import { useState } from "react";

import { usePermission } from "../../api/session";
import { templatesQuery, variablesQuery } from "../../api/templates";
import { AppLink } from "../../components/app-link";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { Name } from "../../components/name";
import { ReadOnlyNote } from "../../components/no-permission";
import { ObjectList } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState } from "../../components/states";
import { TemplateDialogs, type TemplateAction } from "./template-dialogs";

type OnAction = ((action: TemplateAction) => void) | undefined;

/** The templates of the buttons that open the page on which users start deployments, and their variables. */
export default function TemplatesPage() {
  const mayWrite = usePermission("templates.write");
  const [action, setAction] = useState<TemplateAction | null>(null);
  const onAction = mayWrite ? setAction : undefined;
  return (
    <Page
      title="Deployment buttons"
      lead="Links to the pages on which users start deployments, such as those of a CI system"
      actions={
        mayWrite ? (
          <>
            <Button onClick={() => setAction({ kind: "create-variable" })}>Create a variable</Button>
            <Button kind="primary" onClick={() => setAction({ kind: "create-template" })}>
              Create a template
            </Button>
          </>
        ) : null
      }
    >
      <ReadOnlyNote permission="templates.write" what="create, change or delete templates and variables" />
      <Templates onAction={onAction} onPreview={(template) => setAction({ kind: "preview", template })} />
      <Variables onAction={onAction} />
      {action ? <TemplateDialogs action={action} onClose={() => setAction(null)} /> : null}
    </Page>
  );
}

interface TemplatesProps {
  onAction: OnAction;
  onPreview: (template: DeploymentTemplate) => void;
}

function Templates({ onAction, onPreview }: TemplatesProps) {
  const query = useInfiniteQuery(templatesQuery);
  return (
    <Panel title="Templates">
      <ObjectList
        query={query}
        noun="templates"
        skeletons={3}
        empty={
          <EmptyState title="No template yet">
            A template gives the overview and each version a button for an environment of a product.
          </EmptyState>
        }
      >
        {(templates, isDimmed) => (
          <RecordList label="Templates" isDimmed={isDimmed}>
            {templates.map((template) => (
              <TemplateRow key={template.id} {...{ template, onAction, onPreview }} />
            ))}
          </RecordList>
        )}
      </ObjectList>
    </Panel>
  );
}

function TemplateRow({ template, onAction, onPreview }: TemplatesProps & { template: DeploymentTemplate }) {
  const { name, product_id, product_name, url_template, environment_names, enabled } = template;
  const label = `${name} of ${product_name}`;
  return (
    <RecordRow
      title={
        <>
          <Name className="font-medium">{name}</Name>
          {enabled ? null : (
            <Badge tone="neutral" glyph="–">
              not shown
            </Badge>
          )}
        </>
      }
      facts={
        <>
          <Fact label="Product">
            <AppLink
              to={`/products/${product_id}`}
              className="inline-flex min-h-6 items-center text-accent hover:underline"
            >
              <Name>{product_name}</Name>
            </AppLink>
          </Fact>
          <Fact label="Environments">{environment_names.join(", ") || "none: all have been deleted"}</Fact>
          <code className="w-full font-mono text-xs leading-5 break-all">{url_template}</code>
        </>
      }
      actions={
        <>
          <Button small aria-label={`Preview ${label}`} onClick={() => onPreview(template)}>
            Preview
          </Button>
          {onAction ? (
            <>
              <Button small aria-label={`Edit ${label}`} onClick={() => onAction({ kind: "edit-template", template })}>
                Edit
              </Button>
              <Button
                small
                kind="danger"
                aria-label={`Delete ${label}`}
                onClick={() => onAction({ kind: "delete-template", template })}
              >
                Delete
              </Button>
            </>
          ) : null}
        </>
      }
    />
  );
}

function Variables({ onAction }: { onAction: OnAction }) {
  const query = useInfiniteQuery(variablesQuery);
  return (
    <Panel title="Variables">
      <ObjectList
        query={query}
        noun="variables"
        skeletons={3}
        empty={
          <EmptyState title="No variable yet">
            Templates may use those of the server, such as {"{{vi_version}}"}, and yours.
          </EmptyState>
        }
      >
        {(variables, isDimmed) => (
          <RecordList label="Variables" isDimmed={isDimmed}>
            {variables.map((variable) => (
              <VariableRow key={variable.id} {...{ variable, onAction }} />
            ))}
          </RecordList>
        )}
      </ObjectList>
    </Panel>
  );
}

function VariableRow({ variable, onAction }: { variable: Variable; onAction: OnAction }) {
  const { key, value, product_name } = variable;
  const label = product_name ? `${key} of ${product_name}` : key;
  return (
    <RecordRow
      title={<code className="font-mono font-medium">{key}</code>}
      facts={
        <>
          <Fact label="For">{product_name ? <Name>{product_name}</Name> : "all products"}</Fact>
          <Fact label="Value">{value ? <Name className="break-all">{value}</Name> : "empty"}</Fact>
        </>
      }
      actions={
        onAction ? (
          <>
            <Button small aria-label={`Edit ${label}`} onClick={() => onAction({ kind: "edit-variable", variable })}>
              Edit
            </Button>
            <Button
              small
              kind="danger"
              aria-label={`Delete ${label}`}
              onClick={() => onAction({ kind: "delete-variable", variable })}
            >
              Delete
            </Button>
          </>
        ) : null
      }
    />
  );
}
