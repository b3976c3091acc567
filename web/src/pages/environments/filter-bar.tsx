import { useEffect, useState } from "react";

import { Button } from "../../components/button";
import { SelectField, TextField } from "../../components/field";
import { CELL_STATES, STATE_LABELS } from "./cell-state";
import { type Filters, TYPE_NAMES, TYPES } from "./matrix-data";

/** The filters of the matrix, which are parameters of the address. */
export function FilterBar({ filters, onFilter }: { filters: Filters; onFilter: (filters: Filters) => void }) {
  const isFiltered = Boolean(filters.q || filters.type || filters.state || filters.environment);
  return (
    <div role="search" aria-label="Filters" className="flex flex-wrap items-end gap-2">
      <ProductFilter value={filters.q ?? ""} onChange={(q) => onFilter({ q })} />
      <SelectField
        label="Type of environment"
        hideLabel
        className="w-40"
        value={filters.type ?? ""}
        onChange={(event) => onFilter({ type: event.target.value })}
      >
        <option value="">All environments</option>
        {TYPES.map((type) => (
          <option key={type} value={type}>
            {TYPE_NAMES[type]}
          </option>
        ))}
      </SelectField>
      <SelectField
        label="State"
        hideLabel
        className="w-32"
        value={filters.state ?? ""}
        onChange={(event) => onFilter({ state: event.target.value })}
      >
        <option value="">Any state</option>
        {CELL_STATES.filter((state) => state !== "empty").map((state) => (
          <option key={state} value={state}>
            {STATE_LABELS[state].word}
          </option>
        ))}
      </SelectField>
      {filters.environment ? (
        <span className="flex min-h-8 items-center gap-1 rounded-md bg-accent-soft pl-2.5 text-sm text-accent">
          <bdi>{filters.environment}</bdi>
        </span>
      ) : null}
      {isFiltered ? (
        <Button kind="quiet" onClick={() => onFilter({ q: "", type: "", state: "", environment: "" })}>
          Clear
        </Button>
      ) : null}
    </div>
  );
}

/** Keeps the typed text itself, since the address changes a moment later. */
function ProductFilter({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <TextField
      label="Product"
      hideLabel
      type="search"
      placeholder="Filter products"
      className="w-full sm:w-56"
      data-filter
      value={text}
      onChange={(event) => {
        setText(event.target.value);
        onChange(event.target.value);
      }}
    />
  );
}
