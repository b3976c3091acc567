import { CodeBlock } from "./code-block";
import { Panel } from "./page";

/** Further data of an object; absent when there are none. */
export function MetadataPanel({ data }: { data: Readonly<Record<string, unknown>> }) {
  if (Object.keys(data).length === 0) return null;
  return (
    <Panel title="Metadata">
      <div className="p-4">
        <CodeBlock label="JSON" text={JSON.stringify(data, null, 2)} />
      </div>
    </Panel>
  );
}
