import { curlOf } from "../lib/curl";
import { CodeBlock } from "./code-block";
import { Panel } from "./page";

/** How a script requests what the page shows. */
export function ScriptPanel({ path, query }: { path: string; query?: Record<string, string | undefined> }) {
  return (
    <Panel title="In a script">
      <div className="p-4">
        <CodeBlock label="curl" text={curlOf(path, query)} />
      </div>
    </Panel>
  );
}
