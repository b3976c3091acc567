import type { Deployment, EnvironmentState } from "@versioner/client";

import { TYPES } from "../environments/matrix-data";

/** A time in which one version ran in an environment. */
export interface Segment {
  deployment: Deployment;
  from: number;
  to: number;
}

export interface Timeline {
  id: string;
  name: string;
  segments: Segment[];
  /** Deployments that did not complete, at their times. */
  marks: Deployment[];
}

/** The most environments that have a timeline. */
export const MAX_TIMELINES = 12;

/** The environments of the timelines: production first, and each type by name. */
export function timelineEnvironments(states: readonly EnvironmentState[]): EnvironmentState[] {
  const rank = ({ environment_type }: EnvironmentState) => TYPES.indexOf(environment_type);
  return [...states].sort(
    (a, b) => rank(a) - rank(b) || a.environment_name.localeCompare(b.environment_name, undefined, { numeric: true }),
  );
}

/** The timelines from a time until now. `before` has what ran at its start, `deployments` what came since. */
export function timelinesOf(
  environments: readonly EnvironmentState[],
  before: readonly Deployment[],
  deployments: readonly Deployment[],
  start: number,
  now: number,
): Timeline[] {
  return environments.map(({ environment_id: id, environment_name: name }) => {
    const own = [...before, ...deployments].filter(({ environment_id }) => environment_id === id);
    const completed = own
      .filter(({ status }) => status === "completed")
      .sort((a, b) => Date.parse(a.deployed_at) - Date.parse(b.deployed_at));
    const starts = completed.map(({ deployed_at }) => Math.max(start, Date.parse(deployed_at)));
    const segments = completed.map((deployment, index) => ({
      deployment,
      from: starts[index]!,
      to: starts[index + 1] ?? now,
    }));
    return {
      id,
      name,
      segments: joined(segments.filter(({ from, to }) => to > from)),
      marks: own.filter(({ status }) => status !== "completed"),
    };
  });
}

/** Joins the times of a version that was deployed again. */
function joined(segments: readonly Segment[]): Segment[] {
  const result: Segment[] = [];
  for (const segment of segments) {
    const last = result.at(-1);
    if (last?.deployment.version_id === segment.deployment.version_id) last.to = segment.to;
    else result.push({ ...segment });
  }
  return result;
}
