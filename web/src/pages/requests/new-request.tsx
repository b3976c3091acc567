import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { DeploymentRequestTemplate } from "@versioner/client";
import { useState } from "react";

import { addRequest, environmentNamesOf, requestTemplatesQuery } from "../../api/request-templates";
import { Dialog } from "../../components/dialog";
import { SelectField } from "../../components/field";
import { WhenLoaded } from "../../components/states";
import { CreateDialog } from "../../forms/create-dialog";
import { FormDialog } from "../../forms/form-dialog";
import { NEW_FIELDS, newBody, type NewRequestValues, newValues } from "./request-form";

const TITLE = "New deployment request";

interface Choice {
  template: DeploymentRequestTemplate | null;
  environments: readonly string[];
}

const NONE: Choice = { template: null, environments: [] };

/** Creates a draft, and asks first which template it is copied from if the account has some. */
export function NewRequest({ onClose }: { onClose: () => void }) {
  const query = useQuery(requestTemplatesQuery);
  const [choice, setChoice] = useState<Choice | null>(null);
  if (choice) return <RequestForm choice={choice} onClose={onClose} />;
  if (!query.data) {
    return (
      <Dialog title={TITLE} onClose={onClose}>
        <WhenLoaded query={query} skeletons={4}>
          {() => null}
        </WhenLoaded>
      </Dialog>
    );
  }
  if (query.data.length === 0) return <RequestForm choice={NONE} onClose={onClose} />;
  return <TemplateChoice templates={query.data} onChoice={setChoice} onClose={onClose} />;
}

interface TemplateChoiceProps {
  templates: readonly DeploymentRequestTemplate[];
  onChoice: (choice: Choice) => void;
  onClose: () => void;
}

function TemplateChoice({ templates, onChoice, onClose }: TemplateChoiceProps) {
  const [id, setId] = useState("");
  const { mutate, isPending, error } = useMutation({
    mutationFn: async (template: DeploymentRequestTemplate | null): Promise<Choice> =>
      template ? { template, environments: await environmentNamesOf(template.environment_ids) } : NONE,
    onSuccess: onChoice,
  });
  return (
    <FormDialog
      title={TITLE}
      action="Continue"
      busy={isPending}
      error={error}
      onSubmit={() => mutate(templates.find((one) => one.id === id) ?? null)}
      onClose={onClose}
    >
      <SelectField
        label="Template"
        autoFocus
        help="What it has is copied, and can be changed before the request is created."
        value={id}
        onChange={({ target }) => setId(target.value)}
      >
        <option value="">None</option>
        {templates.map((template) => (
          <option key={template.id} value={template.id}>
            {template.name}
          </option>
        ))}
      </SelectField>
    </FormDialog>
  );
}

function RequestForm({ choice: { template, environments }, onClose }: { choice: Choice; onClose: () => void }) {
  const navigate = useNavigate();
  return (
    <CreateDialog
      title={TITLE}
      isWide
      fields={NEW_FIELDS}
      initial={newValues(template, environments)}
      create={async (values: NewRequestValues) => addRequest(await newBody(values, template))}
      onCreated={({ id }) => void navigate({ to: `/deployment-requests/${id}` as "/" })}
      onClose={onClose}
    >
      <p className="text-muted">A new request is a draft: add versions on its page, and activate it there.</p>
    </CreateDialog>
  );
}
