import type { DeploymentTemplate, DeploymentTemplatePatch, Variable, VariablePatch } from "@versioner/client";

import { environmentId, environmentNamesQuery, productId, productNamesQuery } from "../../api/names";
import {
  addTemplate,
  addVariable,
  changeTemplate,
  changeVariable,
  readTemplate,
  readVariable,
  removeTemplate,
  removeVariable,
} from "../../api/templates";
import { Dialog } from "../../components/dialog";
import { Name } from "../../components/name";
import { ConfirmDialog } from "../../forms/confirm-dialog";
import { CreateDialog } from "../../forms/create-dialog";
import { EditDialog } from "../../forms/edit-dialog";
import { FieldProblem, type FormField } from "../../forms/fields";
import { Preview } from "./deploy-link";

export type TemplateAction =
  | { kind: "create-template" | "create-variable" }
  | { kind: "edit-template" | "delete-template" | "preview"; template: DeploymentTemplate }
  | { kind: "edit-variable" | "delete-variable"; variable: Variable };

const PRODUCT: FormField = {
  name: "product",
  label: "Product",
  kind: "name",
  maxLength: 255,
  suggestions: productNamesQuery,
  member: "product_id",
};

const TEMPLATE_FIELDS: readonly FormField[] = [
  { name: "name", label: "Label", kind: "text", isRequired: true, maxLength: 100, placeholder: "Run workflow" },
  {
    name: "url_template",
    label: "URL",
    kind: "area",
    isRequired: true,
    maxLength: 4096,
    help: "Begins with http://host/ or https://host/. {{vi_version}}, {{vi_environment_name}} and your variables are replaced.",
  },
  {
    name: "environments",
    label: "Environments",
    kind: "names",
    isRequired: true,
    placeholder: "Name of an environment",
    suggestions: environmentNamesQuery,
    member: "environment_ids",
  },
  { name: "enabled", label: "Show the button", kind: "check" },
];

const NEW_TEMPLATE_FIELDS: readonly FormField[] = [{ ...PRODUCT, isRequired: true }, ...TEMPLATE_FIELDS];

const VALUE: FormField = { name: "value", label: "Value", kind: "area", maxLength: 2000 };

const NEW_VARIABLE_FIELDS: readonly FormField[] = [
  {
    name: "key",
    label: "Key",
    kind: "text",
    isRequired: true,
    maxLength: 64,
    help: "a-z, 0-9 and _. Templates name it in double braces.",
  },
  VALUE,
  { ...PRODUCT, help: "Empty: for all products. The variable of a product prevails." },
];

export function TemplateDialogs({ action, onClose }: { action: TemplateAction; onClose: () => void }) {
  switch (action.kind) {
    case "create-template":
      return <CreateTemplate onClose={onClose} />;
    case "edit-template":
      return <EditTemplate template={action.template} onClose={onClose} />;
    case "delete-template":
      return (
        <ConfirmDialog
          title="Delete the template"
          action="Delete"
          run={() => removeTemplate(action.template.id)}
          onDone={onClose}
          onClose={onClose}
        >
          <Name className="font-semibold">{action.template.name}</Name> of <Name>{action.template.product_name}</Name>{" "}
          disappears from every page.
        </ConfirmDialog>
      );
    case "preview":
      return (
        <Dialog title={`Preview of ${action.template.name}`} onClose={onClose}>
          <Preview template={action.template} />
        </Dialog>
      );
    case "create-variable":
      return <CreateVariable onClose={onClose} />;
    case "edit-variable":
      return <EditVariable variable={action.variable} onClose={onClose} />;
    case "delete-variable":
      return (
        <ConfirmDialog
          title="Delete the variable"
          action="Delete"
          run={() => removeVariable(action.variable.id)}
          onDone={onClose}
          onClose={onClose}
        >
          Buttons of templates that name <code className="font-mono">{action.variable.key}</code> are absent, unless
          there is one for all products.
        </ConfirmDialog>
      );
  }
}

interface DialogProps {
  onClose: () => void;
}

/** The identifiers of environments, of which each must exist. */
async function environmentIds(names: readonly string[]): Promise<string[]> {
  return Promise.all(
    names.map(async (name) => {
      const id = await environmentId(name);
      if (!id) throw new FieldProblem("environments", `There is no environment ${name}.`);
      return id;
    }),
  );
}

async function existingProduct(name: string): Promise<string> {
  const id = await productId(name);
  if (!id) throw new FieldProblem("product", "There is no product with this name.");
  return id;
}

interface NewTemplate {
  product: string;
  name: string;
  url_template: string;
  environments: string[];
  enabled?: boolean;
}

function CreateTemplate({ onClose }: DialogProps) {
  return (
    <CreateDialog
      title="Create a template"
      isWide
      fields={NEW_TEMPLATE_FIELDS}
      initial={{ enabled: "on" }}
      create={async ({ product, environments, url_template, enabled = false, name }: NewTemplate) => {
        const [product_id, environment_ids] = await Promise.all([
          existingProduct(product),
          environmentIds(environments),
        ]);
        await addTemplate({ name, product_id, environment_ids, url_template: url_template.trim(), enabled });
      }}
      onCreated={onClose}
      onClose={onClose}
    />
  );
}

type TemplateChange = Omit<DeploymentTemplatePatch, "environment_ids"> & { environments?: string[] };

function EditTemplate({
  template: { id, name, product_name },
  onClose,
}: DialogProps & { template: DeploymentTemplate }) {
  return (
    <EditDialog
      title={`Edit ${name} of ${product_name}`}
      isWide
      fields={TEMPLATE_FIELDS}
      load={() => readTemplate(id)}
      valuesOf={({ name: label, url_template, environment_names, enabled }) => ({
        name: label,
        url_template,
        environments: environment_names.join("\n"),
        enabled: enabled ? "on" : "",
      })}
      save={async ({ environments, ...others }: TemplateChange, { etag }) => {
        const environment_ids = environments ? await environmentIds(environments) : undefined;
        await changeTemplate(id, { ...others, ...(environment_ids ? { environment_ids } : {}) }, etag);
      }}
      onClose={onClose}
    />
  );
}

interface NewVariable {
  key: string;
  value?: string;
  product?: string;
}

function CreateVariable({ onClose }: DialogProps) {
  return (
    <CreateDialog
      title="Create a variable"
      fields={NEW_VARIABLE_FIELDS}
      create={async ({ key, value = "", product }: NewVariable) => {
        const product_id = product ? await existingProduct(product) : null;
        await addVariable({ key: key.trim(), value, product_id });
      }}
      onCreated={onClose}
      onClose={onClose}
    >
      <p className="text-muted">Variables are no place for secrets: all users of the account can read them.</p>
    </CreateDialog>
  );
}

function EditVariable({ variable: { id, key }, onClose }: DialogProps & { variable: Variable }) {
  return (
    <EditDialog
      title={`Edit ${key}`}
      fields={[VALUE]}
      load={() => readVariable(id)}
      valuesOf={({ value }) => ({ value })}
      save={(patch: VariablePatch, { etag }) => changeVariable(id, patch, etag)}
      onClose={onClose}
    />
  );
}
