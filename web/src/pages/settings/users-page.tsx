import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Role, User } from "@versioner/client";
import { useState } from "react";

import { usePermission } from "../../api/session";
import { assignRole, loadUser, ownIdQuery, usersQuery } from "../../api/users";
import { AppLink } from "../../components/app-link";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { FilterBar, TextFilter } from "../../components/filters";
import { Name } from "../../components/name";
import { ReadOnlyNote } from "../../components/no-permission";
import { ObjectList } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState } from "../../components/states";
import { Time } from "../../components/time";
import { EditDialog } from "../../forms/edit-dialog";
import type { FormField } from "../../forms/fields";
import { useFilters } from "../../lib/search";

const ROLES: readonly Role[] = [
  "admin",
  "release_manager",
  "developer",
  "sre",
  "product",
  "qa",
  "security",
  "compliance",
  "billing",
  "viewer",
];

const roleText = (role: string) => role.replaceAll("_", " ");

/** The users of the account and their roles. */
export default function UsersPage() {
  const [search, change] = useFilters();
  const q = search["q"] ?? "";
  const query = useInfiniteQuery(usersQuery(q));
  const mayManage = usePermission("roles.manage");
  const [edited, setEdited] = useState<User | null>(null);
  return (
    <Page title="Users and roles" lead="Users appear when they first sign in at the identity provider">
      <ReadOnlyNote permission="roles.manage" what="change roles" />
      <FilterBar isFiltered={q !== ""} onClear={() => change({ q: "" })}>
        <TextFilter label="Name or e-mail" isMain value={q} onChange={(text) => change({ q: text })} />
      </FilterBar>
      <Panel>
        <ObjectList
          query={query}
          noun="users"
          skeletons={6}
          empty={<EmptyState title={q ? "No user matches the filter" : "No user yet"} />}
        >
          {(users, isDimmed) => (
            <RecordList label="Users" isDimmed={isDimmed}>
              {users.map((user) => (
                <UserRow key={user.id} user={user} onEdit={mayManage ? () => setEdited(user) : undefined} />
              ))}
            </RecordList>
          )}
        </ObjectList>
      </Panel>
      {edited ? <EditRole user={edited} onClose={() => setEdited(null)} /> : null}
    </Page>
  );
}

function UserRow({ user, onEdit }: { user: User; onEdit: (() => void) | undefined }) {
  const { data: ownId } = useQuery(ownIdQuery);
  const mayView = usePermission("audit.view");
  const isSelf = user.id === ownId;
  const name = user.name || user.email || user.id;
  return (
    <RecordRow
      title={
        <>
          <Name className="font-medium">{name}</Name>
          {isSelf ? <span className="text-sm text-muted">(you)</span> : null}
          <Badge tone={user.role === "admin" ? "busy" : "neutral"} glyph={user.role === "admin" ? "◆" : "◇"}>
            {roleText(user.role)}
          </Badge>
        </>
      }
      facts={
        <>
          {user.email && user.email !== name ? <Name>{user.email}</Name> : null}
          <span>{user.assigned ? "Role assigned here" : "Role of the identity provider"}</span>
          <Fact label="Last seen">
            <Time at={user.last_seen_at} />
          </Fact>
          <Fact label="First seen">
            <Time at={user.created_at} />
          </Fact>
        </>
      }
      actions={
        <>
          {mayView ? (
            <AppLink
              to="/settings/audit"
              search={{ actor_id: user.id }}
              className="inline-flex min-h-7 items-center text-sm text-accent hover:underline"
            >
              Changes
            </AppLink>
          ) : null}
          {onEdit && !isSelf ? (
            <Button small aria-label={`Change role of ${name}`} onClick={onEdit}>
              Change role
            </Button>
          ) : null}
        </>
      }
    >
      {onEdit && isSelf ? (
        <p className="text-sm text-muted">You cannot change your own role; another administrator can.</p>
      ) : null}
    </RecordRow>
  );
}

const rolesOf = ({ role, assigned }: User): readonly FormField[] => [
  {
    name: "role",
    label: "Role",
    kind: "choice",
    help: "A role assigned here overrides that of the identity provider. It applies within a minute.",
    choices: {
      "": `That of the identity provider${assigned ? "" : ` (${roleText(role)})`}`,
      ...Object.fromEntries(ROLES.map((one) => [one, roleText(one)])),
    },
  },
];

function EditRole({ user, onClose }: { user: User; onClose: () => void }) {
  const queries = useQueryClient();
  return (
    <EditDialog
      title={`Role of ${user.name || user.email}`}
      fields={rolesOf(user)}
      load={() => loadUser(user.id)}
      valuesOf={({ role, assigned }) => ({ role: assigned ? role : "" })}
      save={({ role }: { role: Role | "" }, { etag }) => assignRole(user.id, role || null, etag)}
      onSaved={() => void queries.invalidateQueries({ queryKey: ["users"] })}
      onClose={onClose}
    />
  );
}
