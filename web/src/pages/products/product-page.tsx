import { useQuery } from "@tanstack/react-query";
import type { Product } from "@versioner/client";

import type { Revised } from "../../api/lists";
import { productQuery, productStateQuery } from "../../api/products";
import { AppLink } from "../../components/app-link";
import { buttonClass } from "../../components/button";
import { Loaded } from "../../components/loaded";
import { Panel } from "../../components/page";
import { StateTable } from "../../components/state-table";
import { EmptyState, WhenLoaded } from "../../components/states";
import { ObjectPage } from "../../forms/object-page";
import { useRouteId } from "../../lib/route";
import { productEditing } from "./product-form";
import { TimelinesPanel } from "./timelines";
import { timelineEnvironments } from "./timelines-data";

/** One product: what runs in its environments, now and over time. */
export default function ProductPage() {
  const query = useQuery(productQuery(useRouteId()));
  return (
    <Loaded query={query} kind="Product" list="/products">
      {(revised) => <Content revised={revised} />}
    </Loaded>
  );
}

const RELATED = { Deployments: "/deployments", Versions: "/versions", Builds: "/builds" } as const;

function Content({ revised }: { revised: Revised<Product> }) {
  const { id, name, extra_metadata } = revised.object;
  const state = useQuery(productStateQuery(id));
  return (
    <ObjectPage
      revised={revised}
      list={{ to: "/products", label: "Products" }}
      editing={productEditing}
      permission="products.write"
      changes="edit or delete products"
      actions={Object.entries(RELATED).map(([label, to]) => (
        <AppLink key={to} to={to} search={{ product: name }} className={buttonClass()}>
          {label}
        </AppLink>
      ))}
      metadata={extra_metadata}
      script={{ path: "/environment-state/", query: { product: name } }}
    >
      {state.data ? <TimelinesPanel product={id} states={state.data} /> : null}
      <Panel title="Environments">
        <WhenLoaded query={state} skeletons={4}>
          {(states) =>
            states.length > 0 ? (
              <StateTable states={timelineEnvironments(states)} by="environment" />
            ) : (
              <EmptyState title="No deployment yet">Nothing has been deployed to any environment.</EmptyState>
            )
          }
        </WhenLoaded>
      </Panel>
    </ObjectPage>
  );
}
