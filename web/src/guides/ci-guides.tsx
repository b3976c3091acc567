import { useState } from "react";

import azure from "../../../docs/ci/azure-devops.md?raw";
import bitbucket from "../../../docs/ci/bitbucket-pipelines.md?raw";
import buildkite from "../../../docs/ci/buildkite.md?raw";
import circle from "../../../docs/ci/circleci.md?raw";
import github from "../../../docs/ci/github-actions.md?raw";
import gitlab from "../../../docs/ci/gitlab-ci.md?raw";
import jenkins from "../../../docs/ci/jenkins.md?raw";
import shell from "../../../docs/ci/README.md?raw";
import script from "../../../docs/examples/versioner-event.sh?raw";
import { serverURL } from "../api/client";
import { CodeBlock, shellQuote } from "../components/code-block";
import { SelectField } from "../components/field";

const GUIDES = {
  "GitHub Actions": github,
  "GitLab CI": gitlab,
  Jenkins: jenkins,
  CircleCI: circle,
  "Bitbucket Pipelines": bitbucket,
  "Azure DevOps": azure,
  Buildkite: buildkite,
} as const;

const SHELL = "Plain shell";

interface Guide {
  /** Where the key is kept. */
  secret: string;
  /** The name of the pipeline's file. */
  file: string;
  pipeline: string;
}

/** The first pipeline of a guide, and its text about the secret. */
function parseGuide(text: string): Guide {
  return {
    secret: plainText(text.match(/\*\*The secret\*\*: ([\s\S]*?)\n\n/)?.[1] ?? ""),
    file: text.match(/^`([^`]+)`:$/m)?.[1] ?? "",
    pipeline: text.match(/```\w+\n([\s\S]*?)```/)?.[1]?.trimEnd() ?? "",
  };
}

/** Removes the marks of Markdown and the ends of lines. */
function plainText(markdown: string): string {
  return markdown
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll(/[*`]/g, "")
    .replaceAll("\n", " ");
}

/** How a pipeline reports its deployments, for each CI system: from the guides of the documentation. */
export function CIGuides({ apiKey }: { apiKey: string | null }) {
  const [system, setSystem] = useState<string>("GitHub Actions");
  return (
    <div className="flex min-w-0 flex-col gap-3">
      <SelectField label="CI system" value={system} onChange={(event) => setSystem(event.target.value)}>
        {[...Object.keys(GUIDES), SHELL].map((name) => (
          <option key={name}>{name}</option>
        ))}
      </SelectField>
      {system === SHELL ? <ShellGuide apiKey={apiKey} /> : <SystemGuide system={system as keyof typeof GUIDES} />}
      <details>
        <summary className="min-h-6 w-fit rounded text-sm text-accent">The script ci/versioner-event.sh</summary>
        <div className="flex flex-col gap-2 pt-2">
          <p className="text-sm text-muted">Copy it into your repository. It needs sh, curl, sed and tr.</p>
          <CodeBlock label="ci/versioner-event.sh" text={script.trimEnd()} />
        </div>
      </details>
    </div>
  );
}

function SystemGuide({ system }: { system: keyof typeof GUIDES }) {
  const { secret, file, pipeline } = parseGuide(GUIDES[system]);
  return (
    <>
      <p className="text-sm text-muted">Put the key into the secret store: {secret}</p>
      <CodeBlock label="VERSIONER_API_URL" text={serverURL} />
      <CodeBlock label={file} text={pipeline} />
    </>
  );
}

function ShellGuide({ apiKey }: { apiKey: string | null }) {
  const { pipeline } = parseGuide(shell);
  const variables = [
    `export VERSIONER_API_URL=${shellQuote(serverURL)}`,
    ...(apiKey ? [`export VERSIONER_API_KEY=${shellQuote(apiKey)}`] : []),
  ];
  return <CodeBlock label="Shell" text={[...variables, pipeline].join("\n")} />;
}
