import { useQuery } from "@tanstack/react-query";
import { type DeploymentTemplate, ValidationError, type Version } from "@versioner/client";
import { useState } from "react";

import { buttonsQuery, deployableVersionsQuery, renderedQuery } from "../../api/templates";
import { buttonClass } from "../../components/button";
import { SelectField } from "../../components/field";
import { LinkOutIcon } from "../../components/icons";
import { Panel } from "../../components/page";
import { InlineError, Skeleton } from "../../components/states";
import { cx } from "../../lib/cx";
import { safeURL } from "../../lib/links";

/** The button that opens the page on which a version of a product is deployed to an environment; nothing without a template. */
export default function DeployFromCell({ product, environment }: { product: string; environment: string }) {
  const { data: templates = [] } = useQuery(buttonsQuery(product, environment));
  const template = templates[0];
  if (!template) return null;
  return (
    <section className="flex flex-col gap-3 border-b border-line p-4">
      <h3 className="font-semibold">Deploy</h3>
      <VersionLink template={template} environment={environment} />
    </section>
  );
}

/** The buttons that deploy a version, to one environment at a time; nothing without a template of its product. */
export function DeployVersion({ version }: { version: Version }) {
  const { data: templates = [] } = useQuery(buttonsQuery(version.product_id));
  const targets = templates.flatMap(targetsOf).sort((a, b) => (a.name < b.name ? -1 : 1));
  const [chosen, setChosen] = useState("");
  const target = targets.find(({ id }) => id === chosen) ?? targets[0];
  if (!target) return null;
  return (
    <Panel title="Deploy it">
      <div className="flex flex-wrap items-end gap-2 p-4">
        <Choice label="Environment" choices={targets} value={target.id} onChange={setChosen} />
        <DeployLink template={target.template} version={version.id} environment={target.id} />
      </div>
    </Panel>
  );
}

interface Target {
  id: string;
  name: string;
  template: DeploymentTemplate;
}

const targetsOf = (template: DeploymentTemplate): Target[] =>
  template.environment_ids.map((id, index) => ({ id, name: template.environment_names[index] ?? id, template }));

/** Chooses one of the newest versions, and links to where it is deployed. */
function VersionLink({ template, environment }: { template: DeploymentTemplate; environment: string }) {
  const { data: versions = [], error } = useQuery(deployableVersionsQuery(template.product_id));
  const [chosen, setChosen] = useState("");
  const version = versions.find(({ id }) => id === chosen) ?? versions[0];
  if (!version) return <InlineError error={error} />;
  return (
    <div className="flex flex-wrap items-end gap-2">
      <Choice
        label="Version"
        choices={versions.map(({ id, version: name }) => ({ id, name }))}
        value={version.id}
        onChange={setChosen}
      />
      <DeployLink template={template} version={version.id} environment={environment} />
    </div>
  );
}

/** What a template is rendered to, for each of its environments and the newest versions of its product. */
export function Preview({ template }: { template: DeploymentTemplate }) {
  const targets = targetsOf(template);
  const [chosen, setChosen] = useState("");
  const target = targets.find(({ id }) => id === chosen) ?? targets[0];
  const { data: versions, error } = useQuery(deployableVersionsQuery(template.product_id));
  const [chosenVersion, setVersion] = useState("");
  const version = versions?.find(({ id }) => id === chosenVersion) ?? versions?.[0];
  if (!target) return <p className="p-4 text-muted">All environments of the template have been deleted.</p>;
  if (versions && !version) return <p className="p-4 text-muted">The product has no version yet.</p>;
  return (
    <div className="flex flex-col gap-3 p-4">
      <InlineError error={error} />
      <div className="flex flex-wrap gap-2">
        <Choice label="Environment" choices={targets} value={target.id} onChange={setChosen} />
        <Choice
          label="Version"
          choices={(versions ?? []).map(({ id, version: name }) => ({ id, name }))}
          value={version?.id ?? ""}
          onChange={setVersion}
        />
      </div>
      {version ? <DeployLink template={template} version={version.id} environment={target.id} isWhole /> : null}
    </div>
  );
}

interface ChoiceProps {
  label: string;
  choices: readonly { id: string; name: string }[];
  value: string;
  onChange: (id: string) => void;
}

function Choice({ label, choices, value, onChange }: ChoiceProps) {
  return (
    <SelectField
      label={label}
      className="max-w-80 min-w-40"
      value={value}
      onChange={({ target }) => onChange(target.value)}
    >
      {choices.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </SelectField>
  );
}

interface DeployLinkProps {
  template: DeploymentTemplate;
  version: string;
  environment: string;
  /** Whether the URL is shown, too. */
  isWhole?: boolean;
}

/** A link to the rendered URL in a new tab, or why there is none. */
function DeployLink({ template, version, environment, isWhole = false }: DeployLinkProps) {
  const { data: url, error } = useQuery(renderedQuery(template, version, environment));
  if (error instanceof ValidationError)
    return (
      <div role="status" className="w-full text-sm text-warn">
        {error.problems.map(({ msg }) => (
          <p key={msg}>{msg}</p>
        ))}
      </div>
    );
  if (error) return <InlineError error={error} />;
  const href = safeURL(url);
  if (!href) return <Skeleton className="h-8 w-32" />;
  return (
    <>
      {isWhole ? (
        <p className="w-full rounded-md bg-raised px-3 py-2 font-mono text-sm break-all">
          <bdi>{href}</bdi>
        </p>
      ) : null}
      <a
        href={href}
        target="_blank"
        rel="noopener noreferrer"
        title={href}
        className={cx(buttonClass("primary"), "max-w-80", isWhole && "self-start")}
      >
        <bdi className="truncate">{template.name}</bdi>
        <LinkOutIcon className="size-3 shrink-0" />
        <span className="sr-only">(opens in a new tab)</span>
      </a>
    </>
  );
}
