import type { Product, ProductPatch } from "@versioner/client";

import { changeProduct, reloadProduct, removeProduct } from "../../api/products";
import { type FormField, jsonText } from "../../forms/fields";
import type { Editing } from "../../forms/object-page";

export const PRODUCT_FIELDS: readonly FormField[] = [
  {
    name: "name",
    label: "Name",
    kind: "text",
    isRequired: true,
    help: "Events refer to the product by this name. After a change they may still use the former one.",
  },
  { name: "description", label: "Description", kind: "area" },
  { name: "extra_metadata", label: "Metadata", kind: "json", help: "A JSON object, such as the team and its channel." },
];

export const productEditing: Editing<Product, ProductPatch> = {
  fields: PRODUCT_FIELDS,
  valuesOf: ({ name, description, extra_metadata }) => ({
    name,
    description,
    extra_metadata: jsonText(extra_metadata),
  }),
  load: reloadProduct,
  change: changeProduct,
  remove: removeProduct,
  confirmation: "Delete the product with its versions and deployments",
  consequence:
    ", its versions and its deployments disappear from every page. The next event that names the product creates a new one.",
};
