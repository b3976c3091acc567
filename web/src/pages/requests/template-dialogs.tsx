import { useQuery } from "@tanstack/react-query";
import type { DeploymentRequestTemplate } from "@versioner/client";

import {
  addRequestTemplate,
  changeRequestTemplate,
  readRequestTemplate,
  removeRequestTemplate,
} from "../../api/request-templates";
import { Dialog } from "../../components/dialog";
import { Name } from "../../components/name";
import { WhenLoaded } from "../../components/states";
import { ConfirmDialog } from "../../forms/confirm-dialog";
import { CreateDialog } from "../../forms/create-dialog";
import { EditDialog } from "../../forms/edit-dialog";
import { newBody, type RequestValues, TEMPLATE_FIELDS, templatePatch, templateValues } from "./request-form";

export type TemplateAction = { kind: "create" } | { kind: "edit" | "delete"; template: DeploymentRequestTemplate };

export function TemplateDialogs({ action, onClose }: { action: TemplateAction; onClose: () => void }) {
  switch (action.kind) {
    case "create":
      return (
        <CreateDialog
          title="New request template"
          isWide
          fields={TEMPLATE_FIELDS}
          initial={{ gate: "on" }}
          create={async (values: RequestValues) => addRequestTemplate(await newBody(values))}
          onCreated={onClose}
          onClose={onClose}
        />
      );
    case "edit":
      return (
        <EditDialog
          title={`Edit ${action.template.name}`}
          isWide
          fields={TEMPLATE_FIELDS}
          load={() => readRequestTemplate(action.template.id)}
          valuesOf={templateValues}
          save={async (changes: Partial<RequestValues>, { object, etag }, values, before) =>
            changeRequestTemplate(
              action.template.id,
              await templatePatch(changes, object, values as RequestValues, before),
              etag,
            )
          }
          onClose={onClose}
        />
      );
    case "delete":
      return <DeleteTemplate template={action.template} onClose={onClose} />;
  }
}

/** Deletes a template, if it is still as it was when the dialog was opened. */
function DeleteTemplate({
  template: { id, name },
  onClose,
}: {
  template: DeploymentRequestTemplate;
  onClose: () => void;
}) {
  const query = useQuery({
    queryKey: ["deleted request template", id],
    queryFn: () => readRequestTemplate(id),
    gcTime: 0,
    staleTime: Infinity,
  });
  if (!query.data) {
    return (
      <Dialog title={`Delete ${name}`} onClose={onClose}>
        <WhenLoaded query={query} skeletons={2}>
          {() => null}
        </WhenLoaded>
      </Dialog>
    );
  }
  const { object, etag } = query.data;
  return (
    <ConfirmDialog
      title={`Delete ${object.template.name}`}
      action="Delete"
      run={() => removeRequestTemplate(id, etag)}
      reload={query.refetch}
      onDone={onClose}
      onClose={onClose}
    >
      <Name className="font-semibold">{object.template.name}</Name> disappears. The requests that were copied from it
      stay.
    </ConfirmDialog>
  );
}
