import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { AuditEntry } from "@versioner/client";

import { AUDIT_FILTERS, auditQuery } from "../../api/audit";
import { usePermission } from "../../api/session";
import { userChoicesQuery } from "../../api/users";
import { AppLink } from "../../components/app-link";
import { ChoiceFilter, FilterBar, TextFilter, TimeFilter } from "../../components/filters";
import { Name } from "../../components/name";
import { NoPermission } from "../../components/no-permission";
import { ObjectList } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState } from "../../components/states";
import { Time } from "../../components/time";
import { type Search, useFilters } from "../../lib/search";
import { ACTION_CHOICES, nounOf, pathOf, verbOf } from "./audit-text";
import { ChangedValues } from "./changed-values";

/** Who changed what, newest first. */
export default function AuditPage() {
  const mayView = usePermission("audit.view");
  return (
    <Page title="Audit log" lead="Every change by a user or a command; entries cannot be altered">
      {mayView ? <Audit /> : <NoPermission permission="audit.view" what="view the audit log" />}
    </Page>
  );
}

function Audit() {
  const [search, change] = useFilters();
  const filters: Search = Object.fromEntries(AUDIT_FILTERS.map((name) => [name, search[name]]));
  const query = useInfiniteQuery(auditQuery(filters));
  const { data: users } = useQuery(userChoicesQuery);
  const isFiltered = Object.values(filters).some(Boolean);
  const names = Object.fromEntries((users ?? []).map(({ id, name, email }) => [id, name || email || id]));
  return (
    <>
      <FilterBar
        isFiltered={isFiltered}
        onClear={() => change(Object.fromEntries(AUDIT_FILTERS.map((name) => [name, ""])))}
      >
        <ChoiceFilter
          label="User"
          any="Any user"
          value={search["actor_id"]}
          choices={names}
          onChange={(actor_id) => change({ actor_id })}
        />
        <ChoiceFilter
          label="Action"
          any="Any action"
          value={search["action"]}
          choices={ACTION_CHOICES}
          onChange={(action) => change({ action })}
        />
        <TextFilter
          label="Object (identifier)"
          isMain
          value={search["object_id"]}
          onChange={(object_id) => change({ object_id })}
        />
        <TimeFilter label="Since" value={search["since"]} onChange={(since) => change({ since })} />
        <TimeFilter label="Until" value={search["until"]} onChange={(until) => change({ until })} />
      </FilterBar>
      <Panel>
        <ObjectList
          query={query}
          noun="entries"
          empty={<EmptyState title={isFiltered ? "No entry matches the filters" : "No change yet"} />}
        >
          {(entries, isDimmed) => (
            <RecordList label="Changes" isDimmed={isDimmed}>
              {entries.map((entry) => (
                <EntryRow key={entry.id} entry={entry} />
              ))}
            </RecordList>
          )}
        </ObjectList>
      </Panel>
    </>
  );
}

function EntryRow({ entry }: { entry: AuditEntry }) {
  const path = pathOf(entry.object_type, entry.object_id);
  const noun = nounOf(entry.object_type);
  const object = entry.object_name === null ? noun : <Name className="font-medium">{entry.object_name}</Name>;
  return (
    <RecordRow
      title={
        <span>
          <Name className="font-medium">{entry.actor_name}</Name> {verbOf(entry.action)} the{" "}
          {entry.object_name === null ? null : `${noun} `}
          {path ? (
            <AppLink to={path} className="text-accent underline">
              {object}
            </AppLink>
          ) : (
            object
          )}
        </span>
      }
      facts={
        <>
          <Time at={entry.at} className="text-text" />
          {entry.fields.length > 0 && entry.changes.length === 0 ? (
            <Fact label="Fields">{entry.fields.join(", ")}</Fact>
          ) : null}
          {entry.remote_ip ? <Fact label="From">{entry.remote_ip}</Fact> : null}
        </>
      }
      actions={
        <AppLink
          to="/settings/audit"
          search={{ object_id: entry.object_id }}
          className="inline-flex min-h-7 items-center text-sm text-accent hover:underline"
        >
          {`All changes of this ${noun}`}
        </AppLink>
      }
    >
      <ChangedValues changes={entry.changes} />
      <details className="text-sm text-muted">
        <summary className="min-h-6 w-fit rounded hover:text-text">Details</summary>
        <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 pt-1">
          <Detail label="Action" text={entry.action} />
          <Detail label="Object" text={entry.object_id} />
          <Detail label={entry.actor_type === "user" ? "User" : "Actor"} text={entry.actor_id ?? entry.actor_type} />
          <Detail label="Credential" text={entry.credential} />
          <Detail label="Request" text={entry.request_id} />
          <Detail label="Entry" text={entry.id} />
        </dl>
      </details>
    </RecordRow>
  );
}

function Detail({ label, text }: { label: string; text: string | null }) {
  if (!text) return null;
  return (
    <>
      <dt>{label}</dt>
      <dd className="font-mono text-xs leading-5 break-all text-text">
        <bdi>{text}</bdi>
      </dd>
    </>
  );
}
