import type { DeploymentRule, RuleMode, RuleScope, RuleType, RuleWindow } from "@versioner/client";

import type { Tone } from "../../components/badge";
import { recurrenceText } from "./recurrence";
import { APPROVAL_TYPES } from "../governance/texts";

interface Look {
  tone: Tone;
  glyph: string;
  word: string;
}

export const MODES: Readonly<Record<RuleMode, Look>> = {
  enabled: { tone: "good", glyph: "✓", word: "enabled" },
  report_only: { tone: "warn", glyph: "!", word: "reports only" },
  disabled: { tone: "neutral", glyph: "○", word: "disabled" },
};

export const EFFECTS: Readonly<Record<RuleWindow["effect"], Look>> = {
  deny: { tone: "bad", glyph: "⊘", word: "no deployments" },
  allow: { tone: "good", glyph: "✓", word: "deployments allowed" },
};

export const MODE_CHOICES: Readonly<Record<RuleMode, string>> = {
  disabled: "Disabled: a draft",
  report_only: "Report only: blocks nothing",
  enabled: "Enabled: blocks deployments",
};

export const ENVIRONMENT_TYPES: Readonly<Record<RuleScope["environment_types"][number], string>> = {
  dev: "Development",
  test: "Test",
  staging: "Staging",
  production: "Production",
  other: "Other",
};

export const GROUPS = {
  product_environment: "product and environment",
  product: "product",
  environment: "environment",
  scope: "scope: all that the rule applies to",
} as const;

const list = (words: readonly string[]) => words.join(", ");

/** Where a rule applies. */
export function scopeText({ products, environments, environment_types: types }: RuleScope): string {
  const places = [
    environments.length > 0 ? list(environments) : "",
    types.length > 0 ? `environments of type ${list(types)}` : "",
  ].filter(Boolean);
  const where = places.join(" that are ");
  if (products.length === 0) return where ? `all products in ${where}` : "all products and environments";
  return where ? `${list(products)} in ${where}` : `${list(products)} in all environments`;
}

/** What a rule does, in a line. */
export function ruleText({ schedule, flow, concurrency, version_approval_required: approval }: DeploymentRule): string {
  if (schedule) return scheduleText(schedule.windows, schedule.timezone);
  if (flow) {
    const where = flow.prerequisites.join(flow.strict_order ? ", then " : " and ");
    const soak = flow.min_soak_minutes > 0 ? `, and ${minutesText(flow.min_soak_minutes)} in the last of them` : "";
    return `Requires the version to have completed in ${where}${soak}`;
  }
  if (concurrency) {
    const { max_in_progress: count, per } = concurrency;
    return `At most ${count} ${count === 1 ? "deployment" : "deployments"} in progress per ${per === "scope" ? "scope" : GROUPS[per]}`;
  }
  if (approval) {
    const types = list(approval.required_approvals.map((type) => APPROVAL_TYPES[type]));
    const place = approval.environment ? ` for ${approval.environment}` : "";
    const hours = approval.approval_timeout_hours;
    return `Requires an approval of the version: ${types}${place}${hours ? `, not older than ${minutesText(hours * 60)}` : ""}`;
  }
  return "Requires an approved deployment request";
}

function scheduleText(windows: readonly RuleWindow[], zone: string): string {
  const named = (effect: RuleWindow["effect"]) => {
    const names = windows.filter((window) => window.effect === effect).map(({ name }) => name);
    return names.length > 3 ? `${list(names.slice(0, 3))} and ${names.length - 3} more` : list(names);
  };
  const [denied, allowed] = [named("deny"), named("allow")];
  const words = [denied && `No deployments in ${denied}`, allowed && `deployments only in ${allowed}`].filter(Boolean);
  const text = words.join("; ");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)} (${zone})`;
}

/** A number of minutes in words: `90 min`, `24 h`, `7 d`. */
export function minutesText(minutes: number): string {
  if (minutes % 1440 === 0) return `${minutes / 1440} d`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`;
}

const localText = (time: string) => time.replace("T", " ");

/** When a window is, in the zone of its schedule. */
export function windowTimes({
  start,
  end,
  rrule,
  exdates,
}: Pick<RuleWindow, "start" | "end" | "rrule" | "exdates">): string {
  const times = `${localText(start)} – ${localText(end)}`;
  const recurrence = rrule === null ? "" : `, ${recurrenceText(rrule, start)}`;
  return `${times}${recurrence}${exdates.length > 0 ? `, except on ${list(exdates)}` : ""}`;
}

/** The types of rules that users may create. */
export const CREATABLE: readonly RuleType[] = ["schedule", "flow", "concurrency", "version_approval_required"];
