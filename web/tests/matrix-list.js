// The list of the matrix with exact content, which the browser answers in place of the server.
import { visit } from "./browser.js";

export const LIST = /\/environment-state\//;
export const SINCE = "2026-01-05T10:00:00Z";

export const id = (kind, number) => `01a1f44d-${kind}000-7000-8000-${String(number).padStart(12, "0")}`;

/** A row of the list: product and environment by number, both with names that no one expects. */
export function state(product, environment, name, type, more = {}) {
  return {
    product_id: id(1, product),
    product_name: `product-${String(product).padStart(3, "0")}`,
    environment_id: id(2, environment),
    environment_name: name,
    environment_type: type,
    deployment_id: id(3, product * 100 + environment),
    version_id: id(4, product * 100 + environment),
    version: `1.${product}.${environment}`,
    since: SINCE,
    deployed_by: "ada",
    deployed_by_name: "Ada Lovelace",
    in_progress_deployment_id: null,
    in_progress_version: null,
    in_progress_since: null,
    in_progress_deployed_by: null,
    in_progress_deployed_by_name: null,
    latest_deployment_id: id(3, product * 100 + environment),
    latest_version: `1.${product}.${environment}`,
    latest_status: "completed",
    latest_is_stale: false,
    latest_at: SINCE,
    latest_deployed_by: "ada",
    latest_deployed_by_name: "Ada Lovelace",
    has_drift: true,
    versions_behind: 0,
    ...more,
  };
}

const TYPES = ["production", "staging", "test", "dev"];
export const grid = (products, environments) =>
  Array.from({ length: products * environments }, (_, index) => {
    const environment = index % environments;
    return state(Math.floor(index / environments), environment, `env-${environment}`, TYPES[environment % 4]);
  });

export const FAILED = { latest_deployment_id: id(3, 9999), latest_version: "2.0.0-rc.1", latest_status: "failed" };

/** Opens the overview with a list that the test may replace; `statuses` has those of the answers as they come. */
export async function withList({ browser, server, token }, items, action) {
  const list = { items, revision: 1, statuses: [] };
  await visit(browser, server, "/start", { token }, async (page, context) => {
    await context.route(LIST, (route) => {
      const etag = `"${list.revision}"`;
      const isKnown = route.request().headers()["if-none-match"] === etag;
      list.statuses.push(isKnown ? 304 : 200);
      if (isKnown) return route.fulfill({ status: 304, headers: { ETag: etag } });
      return route.fulfill({ json: { items: list.items, next_cursor: null }, headers: { ETag: etag } });
    });
    await page.goto(`${server.url}/app/`);
    await page.getByRole("grid").waitFor();
    await action(page, list);
  });
}

/** Runs in the page: keeps what is announced in `announced`. */
export function observeAnnouncements() {
  window.announced = [];
  new MutationObserver(() => {
    const text = document.querySelector("p[aria-live=polite]")?.textContent;
    if (text) window.announced.push(text);
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}

/** Runs in the page: the milliseconds from the end of the transfer that the page needs last to the frame that shows the element. */
export async function timeToFrame({ selector, resource }) {
  while (!document.querySelector(selector)) await new Promise(requestAnimationFrame);
  const shown = await new Promise(requestAnimationFrame);
  const ends = performance.getEntriesByType("resource").filter(({ name }) => new URL(name).pathname.endsWith(resource));
  return shown - Math.max(...ends.map(({ responseEnd }) => responseEnd));
}
