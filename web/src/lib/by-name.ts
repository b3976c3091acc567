/** Compares names as users sort them: without regard to case, numbers by their value. */
export const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;
