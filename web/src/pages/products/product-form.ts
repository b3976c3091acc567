import type { Product } from "@versioner/client";

import { type FormField, jsonText, type Values } from "../../lib/form";

export const PRODUCT_FIELDS: readonly FormField[] = [
  {
    name: "name",
    label: "Name",
    kind: "text",
    isRequired: true,
    help: "Events name the product so. After a change, events may still use the former name.",
  },
  { name: "description", label: "Description", kind: "area" },
  { name: "extra_metadata", label: "Metadata", kind: "json", help: "A JSON object, such as the team and its channel." },
];

export const productValues = ({ name, description, extra_metadata }: Product): Values => ({
  name,
  description,
  extra_metadata: jsonText(extra_metadata),
});
