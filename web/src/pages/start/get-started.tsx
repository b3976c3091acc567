import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";

import { serverURL } from "../../api/client";
import { firstDeploymentQuery } from "../../api/deployments";
import { createKey } from "../../api/keys";
import { usePermission } from "../../api/session";
import { StatusBadge } from "../../components/badge";
import { Button, buttonClass } from "../../components/button";
import { CIGuides } from "../../guides/ci-guides";
import { CodeBlock } from "../../components/code-block";
import { Name, VersionName } from "../../components/name";
import { ReadOnlyNote } from "../../components/no-permission";
import { Page } from "../../components/page";
import { InlineError } from "../../components/states";
import { Time } from "../../components/time";
import { cx } from "../../lib/cx";

/** What a new account does first: a key, an event, and its pipelines. It shows the first event when it arrives. */
export function GetStarted() {
  const [key, setKey] = useState<string | null>(null);
  return (
    <Page title="Get started" lead="Three steps until this page shows which version runs where">
      <ol className="flex max-w-3xl flex-col gap-4">
        <Step number={1} title="Create an API key" isDone={key !== null}>
          <KeyStep keyText={key} onCreated={setKey} />
        </Step>
        <Step number={2} title="Send an event">
          <p className="text-muted">
            CI systems send one request at the end of a deployment. The product, the version and the environment are
            created with it.
          </p>
          <CodeBlock label="curl" text={curl(key)} />
          <FirstEvent />
        </Step>
        <Step number={3} title="Add it to a pipeline">
          <CIGuides apiKey={key} />
        </Step>
      </ol>
    </Page>
  );
}

function Step({
  number,
  title,
  isDone = false,
  children,
}: {
  number: number;
  title: string;
  isDone?: boolean;
  children: ReactNode;
}) {
  return (
    <li className="flex gap-4 rounded-lg border border-line bg-surface p-4">
      <span
        aria-hidden="true"
        className={cx(
          "flex size-7 shrink-0 items-center justify-center rounded-full text-sm font-semibold",
          isDone ? "bg-good-soft text-good" : "bg-accent-soft text-accent",
        )}
      >
        {isDone ? "✓" : number}
      </span>
      <div className="flex min-w-0 grow flex-col gap-3">
        <h2 className="text-lg leading-7 font-semibold">{title}</h2>
        {children}
      </div>
    </li>
  );
}

function KeyStep({ keyText, onCreated }: { keyText: string | null; onCreated: (key: string) => void }) {
  const mayCreate = usePermission("keys.manage");
  const create = useMutation({
    mutationFn: () => createKey({ name: "first-event", description: "Created on the page Get started" }),
    onSuccess: ({ key }) => onCreated(key),
  });
  if (keyText) {
    return (
      <>
        <p className="text-muted">This is the only time that the key is shown. The command below contains it.</p>
        <CodeBlock label="API key" text={keyText} />
      </>
    );
  }
  if (!mayCreate) return <ReadOnlyNote permission="keys.manage" what="create API keys" />;
  return (
    <>
      <p className="text-muted">A key identifies a pipeline or a team. It can be revoked at any time.</p>
      <Button kind="primary" className="self-start" busy={create.isPending} onClick={() => create.mutate()}>
        Create a key
      </Button>
      <InlineError error={create.error} />
    </>
  );
}

function FirstEvent() {
  const { data } = useQuery(firstDeploymentQuery);
  const first = data?.items[0];
  return (
    <div role="status">
      {first ? (
        <div className="flex flex-wrap items-center gap-x-3 gap-y-2 rounded-md bg-good-soft px-3 py-2.5">
          <StatusBadge status={first.status} isStale={first.is_stale} />
          <span className="min-w-0">
            <Name className="font-medium">{first.product_name}</Name> <VersionName>{first.version}</VersionName> in{" "}
            <Name className="font-medium">{first.environment_name}</Name>,{" "}
            <Time at={first.deployed_at} className="text-muted" />
          </span>
          <Link to="/" className={cx(buttonClass("primary", true), "ml-auto")}>
            See the overview
          </Link>
        </div>
      ) : (
        <p className="flex items-center gap-2 text-sm text-muted">
          <span aria-hidden="true" className="size-2 animate-pulse rounded-full bg-busy" />
          Waiting for the first event; it appears here within seconds.
        </p>
      )}
    </div>
  );
}

function curl(key: string | null): string {
  return `curl ${serverURL}/deployment-events/ \\
  -H "Authorization: Bearer ${key ?? "$VERSIONER_API_KEY"}" \\
  -H "Content-Type: application/json" \\
  -d '{"product_name": "checkout", "version": "1.4.2",
       "environment_name": "production", "status": "completed"}'`;
}
