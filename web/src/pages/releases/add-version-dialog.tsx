import { keepPreviousData, useInfiniteQuery, useMutation } from "@tanstack/react-query";
import type { Version } from "@versioner/client";
import { useState } from "react";

import { versionsQuery } from "../../api/versions";
import { StatusBadge } from "../../components/badge";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { ProductFilter, TextFilter } from "../../components/filters";
import { Name, VersionName } from "../../components/name";
import { ObjectList } from "../../components/object-list";
import { EmptyState, InlineError } from "../../components/states";

/** Finds versions and adds them to a release or a request, the `noun`; it stays open, since it has several. */
export function AddVersionDialog({
  noun,
  add,
  included,
  onClose,
}: {
  noun: string;
  add: (version: string) => Promise<unknown>;
  included: readonly Version[];
  onClose: () => void;
}) {
  const [product, setProduct] = useState("");
  const [q, setQ] = useState("");
  const query = useInfiniteQuery({ ...versionsQuery({ product, q }), placeholderData: keepPreviousData });
  const { mutate, isPending, variables, error } = useMutation({
    mutationFn: add,
  });
  return (
    <Dialog title="Add versions" onClose={onClose}>
      <div className="flex flex-wrap gap-2 border-b border-line p-4">
        <ProductFilter value={product} onChange={setProduct} />
        <TextFilter label="Version" value={q} onChange={setQ} />
        <p className="text-sm text-muted">
          {`A ${noun} has one version of a product: adding another one of the same product replaces it.`}
        </p>
        <InlineError error={error} />
      </div>
      <ObjectList query={query} noun="versions" empty={<EmptyState title="No version matches" />}>
        {(versions) => (
          <ul className="divide-y divide-line">
            {versions.map((version) => (
              <Candidate
                key={version.id}
                version={version}
                isBusy={isPending && variables === version.id}
                state={stateOf(version, included)}
                noun={noun}
                onAdd={() => mutate(version.id)}
              />
            ))}
          </ul>
        )}
      </ObjectList>
    </Dialog>
  );
}

type State = "included" | "replaces" | "new";

function stateOf(version: Version, included: readonly Version[]): State {
  if (included.some(({ id }) => id === version.id)) return "included";
  return included.some(({ product_id }) => product_id === version.product_id) ? "replaces" : "new";
}

function Candidate({
  version,
  state,
  noun,
  isBusy,
  onAdd,
}: {
  version: Version;
  state: State;
  noun: string;
  isBusy: boolean;
  onAdd: () => void;
}) {
  return (
    <li className="flex items-center justify-between gap-3 px-4 py-2">
      <div className="min-w-0">
        <Name cut>{version.product_name}</Name>
        <span className="flex items-center gap-2">
          <VersionName cut className="text-muted">
            {version.version}
          </VersionName>
          {version.build_status ? <StatusBadge status={version.build_status} /> : null}
        </span>
      </div>
      {state === "included" ? (
        <span className="text-sm text-muted">{`in the ${noun}`}</span>
      ) : (
        <Button
          small
          busy={isBusy}
          onClick={onAdd}
          aria-label={`${state === "new" ? "Add" : "Replace by"} ${version.product_name} ${version.version}`}
        >
          {state === "new" ? "Add" : "Replace"}
        </Button>
      )}
    </li>
  );
}
