import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { Product, ProductCreate } from "@versioner/client";
import { useState } from "react";

import { addProduct, productsQuery } from "../../api/products";
import { usePermission } from "../../api/session";
import { AppLink } from "../../components/app-link";
import { Button } from "../../components/button";
import { FilterBar, TextFilter } from "../../components/filters";
import { Name } from "../../components/name";
import { ReadOnlyNote } from "../../components/no-permission";
import { ObjectList } from "../../components/object-list";
import { Page, Panel } from "../../components/page";
import { EmptyState } from "../../components/states";
import { Cell, Row, Table } from "../../components/table";
import { Time } from "../../components/time";
import { CreateDialog } from "../../forms/create-dialog";
import { useFilters } from "../../lib/search";
import { PRODUCT_FIELDS } from "./product-form";

/** All products, by name. */
export default function ProductsPage() {
  const [{ q }, change] = useFilters();
  const query = useInfiniteQuery(productsQuery({ q }));
  const mayWrite = usePermission("products.write");
  const [isOpen, setOpen] = useState(false);
  return (
    <Page
      title="Products"
      lead="What pipelines deploy"
      actions={
        mayWrite ? (
          <Button kind="primary" onClick={() => setOpen(true)}>
            New product
          </Button>
        ) : null
      }
    >
      <ReadOnlyNote permission="products.write" what="create products" />
      <FilterBar isFiltered={Boolean(q)} onClear={() => change({ q: "" })}>
        <TextFilter
          label="Filter products"
          isMain
          className="w-full sm:w-64"
          value={q}
          onChange={(text) => change({ q: text })}
        />
      </FilterBar>
      <Panel>
        <ObjectList
          query={query}
          noun="products"
          empty={
            q ? (
              <EmptyState title="No product matches the filter" />
            ) : (
              <EmptyState title="No product yet">The first event that names a product creates it.</EmptyState>
            )
          }
        >
          {(products, isDimmed) => <ProductTable products={products} isDimmed={isDimmed} />}
        </ObjectList>
      </Panel>
      {isOpen ? <NewProduct onClose={() => setOpen(false)} /> : null}
    </Page>
  );
}

function ProductTable({ products, isDimmed }: { products: readonly Product[]; isDimmed: boolean }) {
  return (
    <Table
      label="Products"
      isDimmed={isDimmed}
      columns={[{ title: "Name" }, { title: "Description", from: "sm" }, { title: "Created", className: "w-28" }]}
    >
      {products.map(({ id, name, description, created_at }) => (
        <Row key={id}>
          <Cell>
            <AppLink to={`/products/${id}`} className="block leading-6 rounded font-medium hover:underline">
              <Name cut>{name}</Name>
            </AppLink>
          </Cell>
          <Cell from="sm" className="text-muted">
            <Name cut>{description}</Name>
          </Cell>
          <Cell className="text-sm text-muted">
            <Time at={created_at} />
          </Cell>
        </Row>
      ))}
    </Table>
  );
}

function NewProduct({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  return (
    <CreateDialog
      title="New product"
      fields={PRODUCT_FIELDS}
      create={(body: ProductCreate) => addProduct(body)}
      onCreated={({ id }) => void navigate({ to: `/products/${id}` as "/" })}
      onClose={onClose}
    />
  );
}
