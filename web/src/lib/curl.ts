import { serverURL } from "../api/client";
import { shellQuote } from "../components/code-block";

/** A command that requests what the page shows. */
export function curlOf(path: string, query: Record<string, string | undefined> = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) parameters.set(name, value);
  const suffix = parameters.size > 0 ? `?${parameters}` : "";
  return `curl -H "Authorization: Bearer $VERSIONER_TOKEN" \\\n  ${shellQuote(`${serverURL}${path}${suffix}`)}`;
}
