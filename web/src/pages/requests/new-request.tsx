import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { DeploymentRequestTemplate } from "@versioner/client";
import { useState } from "react";

import {
  addRequest,
  type NamedTemplate,
  namedTemplateQuery,
  requestTemplatesQuery,
  withNames,
} from "../../api/request-templates";
import { Dialog } from "../../components/dialog";
import { SelectField } from "../../components/field";
import { Name } from "../../components/name";
import { SkeletonRows, WhenLoaded } from "../../components/states";
import { CreateDialog } from "../../forms/create-dialog";
import { FormDialog } from "../../forms/form-dialog";
import { NEW_FIELDS, newBody, newValues, type RequestValues } from "./request-form";

const TITLE = "New deployment request";

/** Creates a draft, and asks first which template it is copied from if the account has some. */
export function NewRequest({ onClose }: { onClose: () => void }) {
  const query = useQuery(requestTemplatesQuery);
  const [templates, setTemplates] = useState<readonly DeploymentRequestTemplate[] | null>(null);
  const [choice, setChoice] = useState<{ from: NamedTemplate | null } | null>(null);
  // Later polls change neither the choice nor the form; what an earlier page has read may be old.
  if (!templates && query.data && !query.isFetching) setTemplates(query.data);
  if (choice) return <RequestForm from={choice.from} onClose={onClose} />;
  if (!templates) {
    return (
      <Dialog title={TITLE} onClose={onClose}>
        <WhenLoaded query={query} skeletons={4}>
          {() => <SkeletonRows rows={4} />}
        </WhenLoaded>
      </Dialog>
    );
  }
  if (templates.length === 0) return <RequestForm from={null} onClose={onClose} />;
  return <TemplateChoice templates={templates} onChoice={(from) => setChoice({ from })} onClose={onClose} />;
}

interface TemplateChoiceProps {
  templates: readonly DeploymentRequestTemplate[];
  onChoice: (from: NamedTemplate | null) => void;
  onClose: () => void;
}

function TemplateChoice({ templates, onChoice, onClose }: TemplateChoiceProps) {
  const [id, setId] = useState("");
  const { mutate, isPending, error } = useMutation({
    mutationFn: async (template: DeploymentRequestTemplate | null) => (template ? withNames(template) : null),
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

/** Creates a draft from a template. */
export function NewRequestFrom({ template, onClose }: { template: DeploymentRequestTemplate; onClose: () => void }) {
  const query = useQuery(namedTemplateQuery(template));
  if (query.data) return <RequestForm from={query.data} onClose={onClose} />;
  return (
    <Dialog title={TITLE} onClose={onClose}>
      <WhenLoaded query={query} skeletons={4}>
        {() => null}
      </WhenLoaded>
    </Dialog>
  );
}

function RequestForm({ from, onClose }: { from: NamedTemplate | null; onClose: () => void }) {
  const navigate = useNavigate();
  return (
    <CreateDialog
      title={TITLE}
      isWide
      fields={NEW_FIELDS}
      initial={newValues(from)}
      create={async (values: RequestValues) => addRequest(await newBody(values))}
      onCreated={({ id }) => void navigate({ to: `/deployment-requests/${id}` as "/" })}
      onClose={onClose}
    >
      <p className="text-muted">
        {from ? (
          <>
            From the template <Name className="font-medium text-text">{from.template.name}</Name>.{" "}
          </>
        ) : null}
        A new request is a draft: add versions on its page, and activate it there.
      </p>
    </CreateDialog>
  );
}
