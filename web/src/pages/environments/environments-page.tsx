import { useQuery } from "@tanstack/react-query";

import { environmentStateQuery } from "../../api/environment-state";
import { Page, Panel } from "../../components/page";
import { EmptyState, ErrorState, SkeletonRows } from "../../components/states";

export default function EnvironmentsPage() {
  const { data, error, refetch } = useQuery(environmentStateQuery);
  return (
    <Page title="Environments" lead="Which version runs where">
      <Panel>
        {data
          ? data.map((row) => (
              <p
                key={row.product_id + row.environment_id}
              >{`${row.product_name} ${row.environment_name} ${row.version}`}</p>
            ))
          : null}
        {data?.length === 0 ? <EmptyState title="No deployments yet" /> : null}
        {!data && error ? <ErrorState error={error} onRetry={() => void refetch()} /> : null}
        {!data && !error ? <SkeletonRows /> : null}
      </Panel>
    </Page>
  );
}
