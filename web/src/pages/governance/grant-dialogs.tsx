import { useQuery } from "@tanstack/react-query";
import type { BreakGlassGrant, BreakGlassRuleType } from "@versioner/client";

import { confirmGrant, createGrant, governanceSettingsQuery, reviewGrant, revokeGrant } from "../../api/governance";
import { environmentId, environmentNamesQuery, productId, productNamesQuery } from "../../api/names";
import { Name, VersionName } from "../../components/name";
import { ConfirmDialog } from "../../forms/confirm-dialog";
import { CreateDialog } from "../../forms/create-dialog";
import { FieldProblem, type FormField } from "../../forms/fields";
import { RULE_TYPES } from "./texts";

export type GrantAction = { kind: "create" } | { kind: "confirm" | "revoke" | "review"; grant: BreakGlassGrant };

interface DialogProps {
  onClose: () => void;
}

export function GrantDialogs({ action, onClose }: DialogProps & { action: GrantAction }) {
  switch (action.kind) {
    case "create":
      return <CreateGrant onClose={onClose} />;
    case "confirm":
      return <ConfirmGrant grant={action.grant} onClose={onClose} />;
    case "revoke":
      return <RevokeGrant grant={action.grant} onClose={onClose} />;
    case "review":
      return <ReviewGrant grant={action.grant} onClose={onClose} />;
  }
}

const { concurrency: _, ...COVERED_TYPES } = RULE_TYPES;

const FIELDS: readonly FormField[] = [
  {
    name: "product",
    label: "Product",
    kind: "name",
    isRequired: true,
    maxLength: 255,
    suggestions: productNamesQuery,
    member: "product_id",
  },
  {
    name: "environment",
    label: "Environment",
    kind: "name",
    isRequired: true,
    maxLength: 255,
    suggestions: environmentNamesQuery,
    member: "environment_id",
  },
  { name: "version", label: "Version", kind: "text", isRequired: true, maxLength: 255, help: "It need not exist yet." },
  {
    name: "reason",
    label: "Reason",
    kind: "area",
    isRequired: true,
    maxLength: 2000,
    help: "At least 20 characters. All administrators and the reviewer read it.",
  },
  { name: "minutes", label: "Minutes", kind: "text", isRequired: true, maxLength: 3 },
  { name: "rule_types", label: "Rules that it covers", kind: "checks", choices: COVERED_TYPES },
];

const DEFAULT_MINUTES = 30;

interface NewGrant {
  product: string;
  environment: string;
  version: string;
  reason: string;
  minutes: string;
  rule_types?: BreakGlassRuleType[];
}

function CreateGrant({ onClose }: DialogProps) {
  const { data: settings, isPending } = useQuery(governanceSettingsQuery);
  if (isPending) return null;
  const minutes = Math.min(DEFAULT_MINUTES, settings?.break_glass_max_minutes ?? DEFAULT_MINUTES);
  return (
    <CreateDialog
      title="Create a break-glass grant"
      fields={FIELDS}
      initial={{ minutes: String(minutes), rule_types: Object.keys(COVERED_TYPES).join("\n") }}
      create={async ({ product, environment, version, reason, minutes, rule_types }: NewGrant) => {
        if (!/^\d+$/.test(minutes.trim())) throw new FieldProblem("minutes", "Write a whole number.");
        if (!rule_types) throw new FieldProblem("rule_types", "Choose at least one.");
        const [product_id, environment_id] = await Promise.all([productId(product), environmentId(environment)]);
        if (!product_id) throw new FieldProblem("product", "There is no product with this name.");
        if (!environment_id) throw new FieldProblem("environment", "There is no environment with this name.");
        await createGrant({ product_id, environment_id, version, reason, minutes: Number(minutes), rule_types });
      }}
      onCreated={onClose}
      onClose={onClose}
    >
      <p className="text-muted">
        The version may be deployed once, within the minutes, although rules block it. Another user reviews the grant
        afterwards.
        {settings ? ` The account permits at most ${settings.break_glass_max_minutes} minutes.` : null}
        {settings?.break_glass_second_person ? " Another user must confirm it within 15 minutes." : null}
      </p>
    </CreateDialog>
  );
}

interface GrantProps extends DialogProps {
  grant: BreakGlassGrant;
}

function Subject({ grant }: { grant: BreakGlassGrant }) {
  return (
    <>
      <Name>{grant.product_name}</Name> <VersionName>{grant.version}</VersionName>
      {" to "}
      <Name>{grant.environment_name}</Name>
    </>
  );
}

function ConfirmGrant({ grant, onClose }: GrantProps) {
  return (
    <ConfirmDialog
      title="Confirm the grant"
      action="Confirm"
      run={() => confirmGrant(grant.id)}
      onDone={onClose}
      onClose={onClose}
    >
      <Subject grant={grant} /> may be deployed once within the next {grant.minutes} minutes although rules block it.
      <Name className="mt-2 block text-sm text-muted">{grant.reason}</Name>
    </ConfirmDialog>
  );
}

function RevokeGrant({ grant, onClose }: GrantProps) {
  return (
    <ConfirmDialog
      title="Revoke the grant"
      action="Revoke"
      run={() => revokeGrant(grant.id)}
      onDone={onClose}
      onClose={onClose}
    >
      No deployment of <Subject grant={grant} /> that starts from now on can use it.
    </ConfirmDialog>
  );
}

const COMMENTS: readonly FormField[] = [{ name: "comments", label: "Comments", kind: "area", maxLength: 4000 }];

function ReviewGrant({ grant, onClose }: GrantProps) {
  return (
    <CreateDialog
      title="Review the grant"
      action="Record the review"
      fields={COMMENTS}
      create={({ comments }: { comments?: string }) => reviewGrant(grant.id, comments)}
      onCreated={onClose}
      onClose={onClose}
    >
      <p className="text-muted">
        You have looked at why <Subject grant={grant} /> was permitted, and what came of it.
      </p>
    </CreateDialog>
  );
}
