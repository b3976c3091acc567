import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { Environment, EnvironmentCreate } from "@versioner/client";
import { useState } from "react";

import { addEnvironment, environmentsQuery } from "../../api/environments";
import { usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Button } from "../../components/button";
import { ChoiceFilter, FilterBar, TextFilter } from "../../components/filters";
import { Name } from "../../components/name";
import { ReadOnlyNote } from "../../components/no-permission";
import { ObjectList } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { EmptyState } from "../../components/states";
import { Cell, Row, Table } from "../../components/table";
import { Time } from "../../components/time";
import { CreateDialog } from "../../forms/create-dialog";
import { useFilters } from "../../lib/search";
import { TYPE_NAMES } from "../environments/matrix-data";
import { NEW_FIELDS } from "./environment-form";

/** All environments with their types, by name. */
export default function EnvironmentListPage() {
  const [{ q, type }, change] = useFilters();
  const query = useInfiniteQuery(environmentsQuery({ q, type }));
  const mayWrite = usePermission("environments.write");
  const [isOpen, setOpen] = useState(false);
  const isFiltered = Boolean(q || type);
  return (
    <Page
      title="Environments"
      lead="Names, types and descriptions of the environments"
      actions={
        mayWrite ? (
          <Button kind="primary" onClick={() => setOpen(true)}>
            New environment
          </Button>
        ) : null
      }
    >
      <ReadOnlyNote permission="environments.write" what="create environments" />
      <FilterBar isFiltered={isFiltered} onClear={() => change({ q: "", type: "" })}>
        <TextFilter
          label="Filter environments"
          isMain
          className="w-full sm:w-64"
          value={q}
          onChange={(text) => change({ q: text })}
        />
        <ChoiceFilter
          label="Type"
          any="Any type"
          value={type}
          choices={TYPE_NAMES}
          onChange={(value) => change({ type: value })}
        />
      </FilterBar>
      <Panel>
        <ObjectList
          query={query}
          noun="environments"
          empty={
            isFiltered ? (
              <EmptyState title="No environment matches the filters" />
            ) : (
              <EmptyState title="No environment yet">The first event that names an environment creates it.</EmptyState>
            )
          }
        >
          {(environments, isDimmed) => <EnvironmentTable environments={environments} isDimmed={isDimmed} />}
        </ObjectList>
      </Panel>
      {isOpen ? <NewEnvironment onClose={() => setOpen(false)} /> : null}
    </Page>
  );
}

function EnvironmentTable({ environments, isDimmed }: { environments: readonly Environment[]; isDimmed: boolean }) {
  return (
    <Table
      label="Environments"
      isDimmed={isDimmed}
      columns={[
        { title: "Name" },
        { title: "Type", className: "w-32" },
        { title: "Description", from: "sm" },
        { title: "Created", className: "w-28", from: "sm" },
      ]}
    >
      {environments.map(({ id, name, type, description, created_at }) => (
        <Row key={id}>
          <Cell>
            <AppLink to={`/environments/${id}`} className="block leading-6 rounded font-medium hover:underline">
              <Name cut>{name}</Name>
            </AppLink>
          </Cell>
          <Cell className="text-muted">{TYPE_NAMES[type]}</Cell>
          <Cell from="sm" className="text-muted">
            <Name cut>{description}</Name>
          </Cell>
          <Cell from="sm" className="text-sm text-muted">
            <Time at={created_at} />
          </Cell>
        </Row>
      ))}
    </Table>
  );
}

function NewEnvironment({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  return (
    <CreateDialog
      title="New environment"
      fields={NEW_FIELDS}
      create={(body: EnvironmentCreate) => addEnvironment(body)}
      onCreated={({ id }) => void navigate({ to: `/environments/${id}` as "/" })}
      onClose={onClose}
    />
  );
}
