import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import type { PreflightRequest, Version } from "@versioner/client";
import { useEffect, useId, useState } from "react";

import { environmentNamesQuery } from "../../api/names";
import { askPreflight, versionChoicesQuery } from "../../api/preflight";
import { Button } from "../../components/button";
import { TextField } from "../../components/field";
import { InlineError } from "../../components/states";
import { PreflightAnswer } from "./preflight-answer";

interface PreflightOfCellProps {
  product: string;
  environment: string;
  environmentName: string;
  /** The version that the user has named, or that is proposed; null: the newest of the product. */
  version: string | null;
  onChange: (version: string) => void;
}

/** Asks whether a version of a product may be deployed to an environment; the user names the version. */
export default function PreflightOfCell({
  product,
  environment,
  environmentName,
  version: text,
  onChange,
}: PreflightOfCellProps) {
  const { data: versions = [] } = useQuery(versionChoicesQuery(product));
  const [newest] = versions;
  useEffect(() => {
    if (text === null && newest !== undefined) onChange(newest);
  }, [text, newest, onChange]);
  return (
    <Box
      label="Version"
      text={text ?? ""}
      suggestions={versions}
      onChange={onChange}
      subjectOf={(version) => `${version} to ${environmentName}`}
      requestOf={(version) => ({ product_id: product, environment_id: environment, version })}
    />
  );
}

/** Asks whether a version may be deployed to an environment, which the user names. */
export function PreflightOfVersion({ version }: { version: Version }) {
  const [typed, setTyped] = useState("");
  const { data: names } = useQuery({ ...environmentNamesQuery(typed), placeholderData: keepPreviousData });
  return (
    <Box
      label="Environment"
      text={typed}
      suggestions={names ?? []}
      onChange={setTyped}
      subjectOf={(environment) => `${version.version} to ${environment}`}
      requestOf={(environment_name) => ({ product_id: version.product_id, version_id: version.id, environment_name })}
    />
  );
}

interface BoxProps {
  label: string;
  text: string;
  suggestions: readonly string[];
  onChange: (text: string) => void;
  /** What the answer is about: a version and an environment. */
  subjectOf: (text: string) => string;
  requestOf: (text: string) => PreflightRequest;
}

function Box({ label, text, suggestions, onChange, subjectOf, requestOf }: BoxProps) {
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
      <div aria-live="polite">
        {isAsked ? <PreflightAnswer subject={subjectOf(text.trim())} answer={data} /> : null}
      </div>
    </div>
  );
}
