import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import type { Version } from "@versioner/client";
import { useState } from "react";

import type { releaseVersionsQuery } from "../../api/releases";
import { AppLink } from "../../components/app-link";
import { StatusBadge } from "../../components/badge";
import { Button } from "../../components/button";
import { Name, VersionName } from "../../components/name";
import { ObjectList } from "../../components/object-list";
import { Panel } from "../../components/page";
import { EmptyState, InlineError } from "../../components/states";
import { Cell, type Column, Row, Table } from "../../components/table";
import { AddVersionDialog } from "./add-version-dialog";

interface VersionsPanelProps {
  /** What has the versions: a release or a request. */
  noun: string;
  options: ReturnType<typeof releaseVersionsQuery>;
  /** Whether the user may add and remove versions now. */
  mayChange: boolean;
  add: (version: string) => Promise<unknown>;
  remove: (version: string) => Promise<unknown>;
}

/** The versions of a release or a request, which can be added and removed while it permits that. */
export function VersionsPanel({ noun, options, mayChange, add, remove }: VersionsPanelProps) {
  const query = useInfiniteQuery(options);
  const [isAdding, setAdding] = useState(false);
  const { mutate, isPending, variables, error } = useMutation({ mutationFn: remove });
  return (
    <Panel
      title="Versions"
      actions={
        mayChange ? (
          <Button small onClick={() => setAdding(true)}>
            Add versions
          </Button>
        ) : null
      }
    >
      {error ? (
        <div className="p-4">
          <InlineError error={error} />
        </div>
      ) : null}
      <ObjectList
        query={query}
        noun="versions"
        skeletons={4}
        empty={
          <EmptyState title={`This ${noun} has no version`}>{`A ${noun} has one version of each product.`}</EmptyState>
        }
      >
        {(versions) => (
          <VersionRows
            label={`Versions of the ${noun}`}
            versions={versions}
            busy={isPending ? variables : undefined}
            onRemove={mayChange ? mutate : undefined}
          />
        )}
      </ObjectList>
      {isAdding ? (
        <AddVersionDialog
          noun={noun}
          add={add}
          included={query.data?.pages.flatMap(({ items }) => items) ?? []}
          onClose={() => setAdding(false)}
        />
      ) : null}
    </Panel>
  );
}

interface RowsProps {
  label: string;
  versions: readonly Version[];
  busy: string | undefined;
  onRemove: ((version: string) => void) | undefined;
}

function VersionRows({ label, versions, busy, onRemove }: RowsProps) {
  const columns: Column[] = [
    { title: "Product" },
    { title: "Version" },
    { title: "Build", className: "w-32", from: "sm" },
  ];
  if (onRemove) columns.push({ title: "Actions", className: "w-24" });
  return (
    <Table label={label} columns={columns}>
      {versions.map(({ id, product_id, product_name, version, build_status }) => (
        <Row key={id}>
          <Cell>
            <AppLink to={`/products/${product_id}`} className="block leading-6 rounded font-medium hover:underline">
              <Name cut>{product_name}</Name>
            </AppLink>
          </Cell>
          <Cell>
            <AppLink to={`/versions/${id}`} className="block leading-6 rounded hover:underline">
              <VersionName cut>{version}</VersionName>
            </AppLink>
          </Cell>
          <Cell from="sm">{build_status ? <StatusBadge status={build_status} /> : null}</Cell>
          {onRemove ? (
            <Cell>
              <Button
                small
                kind="quiet"
                busy={busy === id}
                aria-label={`Remove ${product_name} ${version}`}
                onClick={() => onRemove(id)}
              >
                Remove
              </Button>
            </Cell>
          ) : null}
        </Row>
      ))}
    </Table>
  );
}
