import { useQuery } from "@tanstack/react-query";
import type { APIKey } from "@versioner/client";
import { useState } from "react";

import { keysQuery } from "../../api/keys";
import { usePermission } from "../../api/session";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { ChoiceFilter, FilterBar, TextFilter } from "../../components/filters";
import { Name } from "../../components/name";
import { NoPermission, ReadOnlyNote } from "../../components/no-permission";
import { Page, Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState, WhenLoaded } from "../../components/states";
import { Time } from "../../components/time";
import { type Search, useFilters } from "../../lib/search";
import { KeyDialogs, type KeyAction, SCOPES } from "./key-dialogs";

const STATES = { active: "Active", expired: "Expired", revoked: "Revoked" } as const;

/** The API keys of the account: what each is for, when it was last used, and its life. */
export default function KeysPage() {
  const mayManage = usePermission("keys.manage");
  const mayView = usePermission("keys.view");
  const [action, setAction] = useState<KeyAction | null>(null);
  return (
    <Page
      title="API keys"
      lead="CI systems report events with a key, which permits what was chosen for it"
      actions={
        mayManage ? (
          <Button kind="primary" onClick={() => setAction({ kind: "create" })}>
            Create a key
          </Button>
        ) : null
      }
    >
      {mayView ? (
        <>
          <ReadOnlyNote permission="keys.manage" what="create, change or revoke API keys" />
          <Keys onAction={mayManage ? setAction : undefined} />
        </>
      ) : (
        <NoPermission permission="keys.view" what="view API keys" />
      )}
      {action ? <KeyDialogs action={action} onAction={setAction} /> : null}
    </Page>
  );
}

type OnAction = ((action: KeyAction) => void) | undefined;

function Keys({ onAction }: { onAction: OnAction }) {
  const [search, change] = useFilters();
  const query = useQuery(keysQuery);
  const isFiltered = Boolean(search["q"] || search["state"]);
  return (
    <>
      <FilterBar isFiltered={isFiltered} onClear={() => change({ q: "", state: "" })}>
        <TextFilter label="Filter keys" isMain value={search["q"]} onChange={(q) => change({ q })} />
        <ChoiceFilter
          label="State"
          any="Any state"
          value={search["state"]}
          choices={STATES}
          onChange={(state) => change({ state })}
        />
      </FilterBar>
      <Panel>
        <WhenLoaded query={query} skeletons={6}>
          {(all) => <KeyList keys={all.filter((key) => matches(key, search))} {...{ isFiltered, onAction }} />}
        </WhenLoaded>
      </Panel>
    </>
  );
}

function KeyList({ keys, isFiltered, onAction }: { keys: readonly APIKey[]; isFiltered: boolean; onAction: OnAction }) {
  if (keys.length === 0) {
    if (isFiltered) return <EmptyState title="No key matches the filters" />;
    return <EmptyState title="No API key yet">Create one for each pipeline or team.</EmptyState>;
  }
  return (
    <RecordList label="API keys">
      {keys.map((key) => (
        <KeyRow key={key.id} apiKey={key} onAction={onAction} />
      ))}
    </RecordList>
  );
}

function matches(key: APIKey, { q, state }: Search): boolean {
  const text = `${key.name} ${key.description} ${key.prefix} ${key.key_id} ${key.created_by ?? ""}`.toLowerCase();
  return (!state || key.state === state) && (!q || text.includes(q.toLowerCase()));
}

function KeyRow({ apiKey, onAction }: { apiKey: APIKey; onAction: OnAction }) {
  const isActive = apiKey.state === "active";
  return (
    <RecordRow
      title={
        <>
          <Name className="font-medium">{apiKey.name}</Name>
          <KeyState apiKey={apiKey} />
        </>
      }
      facts={
        <>
          <code className="font-mono text-xs leading-5">{`${apiKey.prefix}…`}</code>
          <Fact label="May">{apiKey.scopes.map((scope) => SCOPES[scope].toLowerCase()).join(", ")}</Fact>
          <Fact label="Last used">{apiKey.last_used_at ? <Time at={apiKey.last_used_at} /> : "never"}</Fact>
          <Fact label="Created">
            <Time at={apiKey.created_at} />
            {apiKey.created_by ? (
              <>
                {" by "}
                <Name>{apiKey.created_by}</Name>
              </>
            ) : null}
          </Fact>
          {apiKey.revoked_at ? (
            <Fact label="Revoked">
              <Time at={apiKey.revoked_at} />
            </Fact>
          ) : apiKey.expires_at ? (
            <Fact label={isActive ? "Expires" : "Expired"}>
              <Time at={apiKey.expires_at} />
            </Fact>
          ) : null}
        </>
      }
      actions={
        onAction ? (
          <>
            <Button small aria-label={`Edit ${apiKey.name}`} onClick={() => onAction({ kind: "edit", apiKey })}>
              Edit
            </Button>
            {isActive ? (
              <>
                <Button small aria-label={`Rotate ${apiKey.name}`} onClick={() => onAction({ kind: "rotate", apiKey })}>
                  Rotate
                </Button>
                <Button
                  small
                  kind="danger"
                  aria-label={`Revoke ${apiKey.name}`}
                  onClick={() => onAction({ kind: "revoke", apiKey })}
                >
                  Revoke
                </Button>
              </>
            ) : null}
          </>
        ) : null
      }
    >
      {apiKey.description ? <Name className="text-sm whitespace-pre-line">{apiKey.description}</Name> : null}
    </RecordRow>
  );
}

function KeyState({ apiKey: { state, expires_at } }: { apiKey: APIKey }) {
  if (state === "revoked")
    return (
      <Badge tone="bad" glyph="⊘">
        revoked
      </Badge>
    );
  if (state === "expired")
    return (
      <Badge tone="neutral" glyph="○">
        expired
      </Badge>
    );
  return expires_at ? (
    <Badge tone="warn" glyph="◔">
      active, expires
    </Badge>
  ) : (
    <Badge tone="good" glyph="✓">
      active
    </Badge>
  );
}
