import { useParams } from "@tanstack/react-router";

/** The identifier in the path of the page. */
export function useRouteId(): string {
  const parameters: { id?: string } = useParams({ strict: false });
  return parameters.id ?? "";
}
