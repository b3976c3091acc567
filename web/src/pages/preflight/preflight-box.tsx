import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import type { PreflightRequest } from "@versioner/client";
import { useId, useState } from "react";

import { environmentNamesQuery } from "../../api/names";
import { askPreflight, versionChoicesQuery } from "../../api/preflight";
import { Button } from "../../components/button";
import { TextField } from "../../components/field";
import { InlineError } from "../../components/states";
import { PreflightAnswer } from "./preflight-answer";

/** Asks whether a version of a product may be deployed to an environment; the user names the version. */
export default function PreflightOfCell(props: { product: string; environment: string }) {
  const { data: versions = [] } = useQuery(versionChoicesQuery(props.product));
  const [typed, setTyped] = useState<string | null>(null);
  return (
    <Box
      label="Version"
      text={typed ?? versions[0] ?? ""}
      suggestions={versions}
      onChange={setTyped}
      requestOf={(version) => ({ product_id: props.product, environment_id: props.environment, version })}
    />
  );
}

/** Asks whether a version may be deployed to an environment, which the user names. */
export function PreflightOfVersion({ product, version }: { product: string; version: string }) {
  const [typed, setTyped] = useState("");
  const { data: names } = useQuery({ ...environmentNamesQuery(typed), placeholderData: keepPreviousData });
  return (
    <Box
      label="Environment"
      text={typed}
      suggestions={names ?? []}
      onChange={setTyped}
      requestOf={(environment_name) => ({ product_id: product, version_id: version, environment_name })}
    />
  );
}

interface BoxProps {
  label: string;
  text: string;
  suggestions: readonly string[];
  onChange: (text: string) => void;
  requestOf: (text: string) => PreflightRequest;
}

function Box({ label, text, suggestions, onChange, requestOf }: BoxProps) {
  const listId = useId();
  const { mutate, data, variables, error, isPending } = useMutation({
    mutationFn: async (asked: string) => askPreflight(requestOf(asked)),
  });
  const isAsked = data !== undefined && variables === text.trim();
  return (
    <div className="flex flex-col gap-3 p-4">
      <form
        className="flex items-end gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() && !isPending) mutate(text.trim());
        }}
      >
        <TextField
          label={label}
          className="max-w-80 grow"
          list={listId}
          autoComplete="off"
          dir="auto"
          maxLength={255}
          value={text}
          onChange={({ target }) => onChange(target.value)}
        />
        <datalist id={listId}>
          {suggestions.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <Button type="submit" busy={isPending} disabled={!text.trim()}>
          {isAsked ? "Ask again" : "Ask"}
        </Button>
      </form>
      <InlineError error={error} />
      <div aria-live="polite">{isAsked ? <PreflightAnswer subject={text.trim()} answer={data} /> : null}</div>
    </div>
  );
}
