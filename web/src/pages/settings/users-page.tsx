import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Role, User } from "@versioner/client";
import { useState } from "react";

import type { Revised } from "../../api/lists";
import { usePermission } from "../../api/session";
import { assignRole, loadUser, ownIdQuery, usersQuery } from "../../api/users";
import { AppLink } from "../../components/app-link";
import { Badge } from "../../components/badge";
import { Button } from "../../components/button";
import { ConflictNotice } from "../../components/conflict";
import { SelectField } from "../../components/field";
import { FilterBar, TextFilter } from "../../components/filters";
import { FormDialog } from "../../components/form-dialog";
import { LoadedDialog } from "../../components/loaded-dialog";
import { Name } from "../../components/name";
import { ReadOnlyNote } from "../../components/no-permission";
import { ObjectList } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { Fact, RecordList, RecordRow } from "../../components/record-list";
import { EmptyState } from "../../components/states";
import { Time } from "../../components/time";
import { useFilters } from "../../lib/search";
import { useEdit } from "../../lib/use-edit";

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
  const [edited, setEdited] = useState<string | null>(null);
  return (
    <Page title="Users and roles" lead="Users appear when they first sign in at the identity provider">
      {mayManage ? null : <ReadOnlyNote what="change roles" />}
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
                <UserRow key={user.id} user={user} onEdit={mayManage ? () => setEdited(user.id) : undefined} />
              ))}
            </RecordList>
          )}
        </ObjectList>
      </Panel>
      {edited ? <EditRole id={edited} onClose={() => setEdited(null)} /> : null}
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

function EditRole({ id, onClose }: { id: string; onClose: () => void }) {
  const query = useQuery({ queryKey: ["users", id], queryFn: () => loadUser(id), gcTime: 0, staleTime: Infinity });
  return (
    <LoadedDialog title="Change the role" query={query} onClose={onClose}>
      {(user) => <EditRoleForm initial={user} onClose={onClose} />}
    </LoadedDialog>
  );
}

const valuesOf = ({ role, assigned }: User) => ({ role: assigned ? (role as string) : "" });

function EditRoleForm({ initial, onClose }: { initial: Revised<User>; onClose: () => void }) {
  const queries = useQueryClient();
  const { id, name, email, role, assigned } = initial.object;
  const edit = useEdit({
    initial,
    valuesOf,
    load: () => loadUser(id),
    save: (values, { etag }) => assignRole(id, (values.role || null) as Role | null, etag),
    onDone: () => {
      void queries.invalidateQueries({ queryKey: ["users"] });
      onClose();
    },
  });
  return (
    <FormDialog
      title={`Role of ${name || email}`}
      action="Save"
      busy={edit.busy}
      error={edit.error}
      isDisabled={!edit.isDirty}
      onSubmit={edit.submit}
      onClose={onClose}
    >
      <SelectField
        label="Role"
        autoFocus
        value={edit.values.role}
        help="A role assigned here overrides that of the identity provider. It applies within a minute."
        onChange={(event) => edit.set({ role: event.target.value })}
      >
        <option value="">{`That of the identity provider${assigned ? "" : ` (${roleText(role)})`}`}</option>
        {ROLES.map((one) => (
          <option key={one} value={one}>
            {roleText(one)}
          </option>
        ))}
      </SelectField>
      <ConflictNotice conflict={edit.conflict} labels={{ role: "Role" }} />
    </FormDialog>
  );
}
