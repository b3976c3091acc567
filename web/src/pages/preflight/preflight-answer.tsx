import type { Preflight, PreflightViolation } from "@versioner/client";
import type { ReactNode } from "react";

import { AppLink } from "../../components/app-link";
import { Badge } from "../../components/badge";
import { Name } from "../../components/name";
import { Time } from "../../components/time";
import { useNow } from "../../lib/live";
import { absoluteTime } from "../../lib/time";
import { APPROVAL_TYPES, CODES } from "../governance/texts";
import { distinctApprovals, obstaclesText, requestOf } from "./obstacles";

const LINK = "rounded text-accent underline";

/** What the deployment rules say about a deployment: the subject, a version and an environment as the user named them. */
export function PreflightAnswer({ subject, answer }: { subject: string; answer: Preflight }) {
  const { would_allow: isAllowed, violations, reports, warnings } = answer;
  const missing = distinctApprovals(answer);
  return (
    <section aria-label="Answer" className="flex flex-col gap-3">
      <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
        {isAllowed ? (
          <Badge tone="good" glyph="✓">
            yes
          </Badge>
        ) : (
          <Badge tone="bad" glyph="⊘">
            no
          </Badge>
        )}
        <span className="min-w-0">
          <Name className="font-medium">{subject}</Name>
          {isAllowed ? ": it may be deployed now." : `: blocked now by ${obstaclesText(answer)}.`}
        </span>
        <span className="text-sm text-muted">
          asked <Time at={answer.evaluated_at} />
        </span>
      </p>
      {answer.usable_grant_id ? (
        <p className="text-sm">
          <Badge tone="warn" glyph="⚡">
            break-glass grant
          </Badge>
          {" The start would use "}
          <AppLink to="/break-glass" className={LINK}>
            a grant
          </AppLink>
          , which permits it once.
        </p>
      ) : null}
      <When answer={answer} />
      <Findings title={isAllowed ? "What the grant overrides" : "What blocks it"} findings={violations} />
      {missing.length > 0 ? (
        <Part title="Missing approvals">
          <ul className="flex flex-col gap-1 text-sm">
            {missing.map(({ approval_type: type, roles, rule_id: rule, deployment_request_id: request }) => (
              <li key={`${type} ${rule} ${request}`}>
                {APPROVAL_TYPES[type]}
                <span className="text-muted">{`, by ${roles.join(", ").replaceAll("_", " ")}`}</span>
                {request ? (
                  <>
                    {" in "}
                    <AppLink to={`/deployment-requests/${request}`} className={LINK}>
                      this deployment request
                    </AppLink>
                  </>
                ) : null}
              </li>
            ))}
          </ul>
        </Part>
      ) : null}
      <Findings title="Would be blocked if the rule were enabled" findings={reports} />
      {warnings.map(({ code, message }) => (
        <p key={code} className="flex flex-wrap items-center gap-2 text-sm">
          <Badge tone="warn" glyph="!">
            warning
          </Badge>
          <Name className="min-w-0 break-words">{message}</Name>
        </p>
      ))}
    </section>
  );
}

const at = (time: string) => (
  <>
    {absoluteTime(Date.parse(time))} (<Time at={time} />)
  </>
);

/** From when on something is possible. */
function From({ time, now }: { time: string; now: number }) {
  return Date.parse(time) <= now ? "now" : <>from {at(time)}</>;
}

/** From when on it may be deployed, and until when. */
function When({ answer }: { answer: Preflight }) {
  const { would_allow: isAllowed, next_allowed_at: next, certain, binding_rule: rule } = answer;
  const { earliest_after_approvals: afterwards, next_block_at: until } = answer;
  const now = useNow();
  const isWaiting = !isAllowed && next !== null;
  return (
    <>
      {isWaiting ? (
        <p>
          {certain ? "It may be deployed " : "It may be deployed at the latest "}
          <From time={next} now={now} />
          {rule ? (
            <>
              {", when "}
              <RuleName id={rule.id} name={rule.name} />
              {" permits it"}
            </>
          ) : null}
          .
        </p>
      ) : null}
      {!isAllowed && next === null ? (
        <p>
          Waiting alone will not clear this.
          {afterwards ? (
            <>
              {" Once it has the approvals, it may be deployed "}
              <From time={afterwards} now={now} />.
            </>
          ) : null}
        </p>
      ) : null}
      {until && (isAllowed || isWaiting) ? (
        <p className="text-sm text-muted">The next rule blocks it from {at(until)}.</p>
      ) : null}
    </>
  );
}

function RuleName({ id, name }: { id: string | null; name: string }) {
  if (id === null) return <Name>{name}</Name>;
  return (
    <AppLink to={`/rules/${id}`} className={LINK}>
      <Name>{name}</Name>
    </AppLink>
  );
}

/** The rule, with the deployment request that it waits for; or the request that blocks by itself. */
function FindingName({ finding }: { finding: PreflightViolation }) {
  const { rule_id: rule, rule_name: name } = finding;
  const request = requestOf(finding);
  if (request === null) return <RuleName id={rule} name={name} />;
  const to = `/deployment-requests/${request}`;
  return rule === null ? (
    <AppLink to={to} className={LINK}>
      <Name>{name}</Name>
    </AppLink>
  ) : (
    <>
      <RuleName id={rule} name={name} />
      <AppLink to={to} className={LINK}>
        Its deployment request
      </AppLink>
    </>
  );
}

function Findings({ title, findings }: { title: string; findings: readonly PreflightViolation[] }) {
  if (findings.length === 0) return null;
  return (
    <Part title={title}>
      <ul className="flex flex-col gap-2">
        {findings.map((finding) => (
          <li key={`${finding.rule_id} ${finding.code} ${finding.message}`} className="text-sm">
            <span className="flex flex-wrap gap-x-3">
              <FindingName finding={finding} />
              <span className="text-muted">{CODES[finding.code]}</span>
              {finding.clears_at ? (
                <span className="text-muted">
                  {finding.certain ? "passes " : "passes at the latest "}
                  <Time at={finding.clears_at} />
                </span>
              ) : null}
            </span>
            <Name className="break-words">{finding.message}</Name>
          </li>
        ))}
      </ul>
    </Part>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div>
      <h3 className="text-sm font-medium">{title}</h3>
      {children}
    </div>
  );
}
