import type { DeploymentRequest } from "@versioner/client";

import { Badge } from "../../components/badge";
import { STATUSES } from "./request-texts";

/** The status of a request. */
export function RequestBadge({ status }: Pick<DeploymentRequest, "status">) {
  const { tone, glyph, word } = STATUSES[status];
  return (
    <Badge tone={tone} glyph={glyph}>
      {word}
    </Badge>
  );
}
