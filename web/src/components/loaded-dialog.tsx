import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { Dialog } from "./dialog";
import { ErrorState, SkeletonRows } from "./states";

/** The dialog of an object that is read when it opens: the dialog that `children` returns, or the state until then. */
export function LoadedDialog<T>({
  title,
  query: { data, error, refetch },
  onClose,
  children,
}: {
  title: string;
  query: UseQueryResult<T>;
  onClose: () => void;
  children: (data: T) => ReactNode;
}) {
  if (data !== undefined) return children(data);
  return (
    <Dialog title={title} onClose={onClose}>
      {error ? <ErrorState error={error} onRetry={() => void refetch()} /> : <SkeletonRows rows={4} />}
    </Dialog>
  );
}
