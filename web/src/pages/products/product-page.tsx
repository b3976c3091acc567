import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { Product, ProductPatch } from "@versioner/client";
import { useState } from "react";

import type { Revised } from "../../api/lists";
import { changeProduct, productQuery, productStateQuery, reloadProduct, removeProduct } from "../../api/products";
import { usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Button, buttonClass } from "../../components/button";
import { CopyButton } from "../../components/copy-button";
import { DeleteDialog } from "../../components/delete-dialog";
import { MetadataPanel } from "../../components/json";
import { Loaded, Trail } from "../../components/loaded";
import { Name } from "../../components/name";
import { EditDialog } from "../../components/object-form";
import { Page, Panel } from "../../components/page";
import { ScriptPanel } from "../../components/script-panel";
import { StateTable } from "../../components/state-table";
import { EmptyState, ErrorState, SkeletonRows } from "../../components/states";
import { useRouteId } from "../../lib/route";
import { TimelinesPanel } from "./timelines";
import { timelineEnvironments } from "./timelines-data";
import { PRODUCT_FIELDS, productValues } from "./product-form";

/** One product: what runs in its environments, now and over time. */
export default function ProductPage() {
  const query = useQuery(productQuery(useRouteId()));
  return (
    <Loaded query={query} kind="Product" list="/products">
      {(revised) => <Content revised={revised} />}
    </Loaded>
  );
}

function Content({ revised }: { revised: Revised<Product> }) {
  const { object: product } = revised;
  const state = useQuery(productStateQuery(product.id));
  return (
    <Page
      title={product.name}
      lead={
        <>
          <Trail>
            <AppLink to="/products" className="inline-flex min-h-6 items-center text-accent hover:underline">
              Products
            </AppLink>
          </Trail>
          {product.description ? <Name className="whitespace-pre-wrap">{product.description}</Name> : null}
        </>
      }
      actions={<Actions revised={revised} />}
    >
      {state.data ? <TimelinesPanel product={product.id} states={state.data} /> : null}
      <Panel title="Environments">
        {state.data ? (
          state.data.length > 0 ? (
            <StateTable states={timelineEnvironments(state.data)} by="environment" />
          ) : (
            <EmptyState title="No deployment yet">Nothing has been deployed to any environment.</EmptyState>
          )
        ) : state.error ? (
          <ErrorState error={state.error} onRetry={() => void state.refetch()} />
        ) : (
          <SkeletonRows rows={4} />
        )}
      </Panel>
      <MetadataPanel data={product.extra_metadata} />
      <ScriptPanel path="/environment-state/" query={{ product: product.name }} />
    </Page>
  );
}

function Actions({ revised }: { revised: Revised<Product> }) {
  const { object: product } = revised;
  const mayWrite = usePermission("products.write");
  const [dialog, setDialog] = useState<"edit" | "delete" | null>(null);
  return (
    <>
      {[
        ["Deployments", "/deployments"],
        ["Versions", "/versions"],
        ["Builds", "/builds"],
      ].map(([label, to]) => (
        <AppLink key={to} to={to!} search={{ product: product.name }} className={buttonClass()}>
          {label}
        </AppLink>
      ))}
      {mayWrite ? (
        <>
          <Button onClick={() => setDialog("edit")}>Edit</Button>
          <Button kind="danger" onClick={() => setDialog("delete")}>
            Delete
          </Button>
        </>
      ) : null}
      <CopyButton text={product.id} label="Copy the identifier" iconOnly />
      <Dialogs revised={revised} open={dialog} onClose={() => setDialog(null)} />
    </>
  );
}

interface DialogsProps {
  revised: Revised<Product>;
  open: "edit" | "delete" | null;
  onClose: () => void;
}

function Dialogs({ revised, open, onClose }: DialogsProps) {
  const navigate = useNavigate();
  const { object: product, etag } = revised;
  if (open === "edit") {
    return (
      <EditDialog
        title={`Edit ${product.name}`}
        fields={PRODUCT_FIELDS}
        revised={revised}
        valuesOf={productValues}
        reload={() => reloadProduct(product.id)}
        save={(patch: ProductPatch, revision) => changeProduct(product.id, patch, revision)}
        onClose={onClose}
      />
    );
  }
  if (open === null) return null;
  return (
    <DeleteDialog
      title={`Delete ${product.name}`}
      confirmation="Delete the product with its versions and deployments"
      remove={() => removeProduct(product.id, etag)}
      reload={() => reloadProduct(product.id)}
      onDeleted={() => void navigate({ to: "/products" as "/" })}
      onClose={onClose}
    >
      <Name className="font-semibold">{product.name}</Name>, its versions and its deployments disappear from every page.
      The next event that names the product creates a new one.
    </DeleteDialog>
  );
}
