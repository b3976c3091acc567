// Tests of the grid with many products and environments. The browser intercepts the list, so that its content is exact.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { WAIT_LIMIT, keepPicture, suite, visit } from "./browser.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const LIST = /\/environment-state\//;
const SINCE = "2026-01-05T10:00:00Z";

const id = (kind, number) => `01a1f44d-${kind}000-7000-8000-${String(number).padStart(12, "0")}`;

/** A row of the list: product and environment by number, both with names that no one expects. */
function state(product, environment, name, type, more = {}) {
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
    latest_deployment_id: id(3, product * 100 + environment),
    latest_version: `1.${product}.${environment}`,
    latest_status: "completed",
    latest_is_stale: false,
    latest_at: SINCE,
    has_drift: true,
    versions_behind: 0,
    ...more,
  };
}

const TYPES = ["production", "staging", "test", "dev"];
const grid = (products, environments) =>
  Array.from({ length: products * environments }, (_, index) => {
    const environment = index % environments;
    return state(Math.floor(index / environments), environment, `env-${environment}`, TYPES[environment % 4]);
  });

const FAILED = { latest_deployment_id: id(3, 9999), latest_version: "2.0.0-rc.1", latest_status: "failed" };

describe("matrix", suite, () => {
  let server, browser, token;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    token = await server.token();
  });

  /** Opens the page with a list that the test may replace; returns the statuses of the answers as they come. */
  async function withList(items, look, action) {
    const list = { items, revision: 1, statuses: [] };
    await visit(browser, server, "/start", { token, ...look }, async (first, context) => {
      await context.route(LIST, (route) => {
        const etag = `"${list.revision}"`;
        const isKnown = route.request().headers()["if-none-match"] === etag;
        list.statuses.push(isKnown ? 304 : 200);
        if (isKnown) return route.fulfill({ status: 304, headers: { ETag: etag } });
        return route.fulfill({ json: { items: list.items, next_cursor: null }, headers: { ETag: etag } });
      });
      await first.goto(`${server.url}/app/`);
      await first.getByRole("grid").waitFor();
      await action(first, list);
    });
  }

  const observe = (page) =>
    page.evaluate(() => {
      window.changedRows = [];
      new MutationObserver((changes) => {
        for (const { target } of changes) {
          const row = (target.nodeType === 1 ? target : target.parentElement).closest("[data-row]");
          window.changedRows.push(row?.querySelector("[role=rowheader]").textContent ?? "grid");
        }
      }).observe(document.querySelector("[role=grid]"), {
        subtree: true,
        childList: true,
        characterData: true,
        attributes: true,
      });
    });
  const changedRows = (page) => page.evaluate(() => [...new Set(window.changedRows)]);
  const polled = async (list, count) => {
    const until = list.statuses.length + count;
    while (list.statuses.length < until) await new Promise((resolve) => setTimeout(resolve, 100));
    await new Promise((resolve) => setTimeout(resolve, 300));
  };

  test("mounts the rows in view alone, and renders what changed alone", () =>
    withList(grid(500, 8), {}, async (page, list) => {
      await page.getByText("500 of 500 products").waitFor();
      assert.equal(await page.getByRole("grid").getAttribute("aria-rowcount"), "501");
      assert.ok((await page.locator("[data-row]").count()) <= 60);
      await observe(page);
      await polled(list, 1);
      assert.equal(list.statuses.at(-1), 304);
      assert.deepEqual(await changedRows(page), [], "nothing is rendered after a 304");
      list.items = list.items.with(8, { ...list.items[8], ...FAILED });
      list.revision += 1;
      await page.getByText("product-001 failed in env-0.").waitFor({ state: "attached" });
      assert.deepEqual(await changedRows(page), ["product-001"]);
      await page.getByRole("rowheader").first().focus();
      await page.keyboard.press("Control+End");
      await page.getByRole("rowheader", { name: "product-499" }).waitFor();
      await page.waitForFunction(() => document.activeElement?.getAttribute("aria-colindex") === "9");
      assert.ok((await page.locator("[data-row]").count()) <= 60);
    }));

  test("stays usable with 5,000 products", () =>
    withList(grid(5000, 4), {}, async (page) => {
      assert.equal(await page.getByRole("grid").getAttribute("aria-rowcount"), "5001");
      assert.ok((await page.locator("[data-row]").count()) <= 60);
      await page.getByRole("rowheader").first().focus();
      await page.keyboard.press("Control+End");
      await page.getByRole("rowheader", { name: "product-4999" }).waitFor();
      await page.getByLabel("Product", { exact: true }).fill("product-49");
      await page.getByText("110 of 5000 products").waitFor();
      assert.ok((await page.locator("[data-row]").count()) <= 60);
    }));

  test("shows the first page of a large account at once, and no summary of it", () =>
    visit(browser, server, "/start", { token, expected: [/503/] }, async (page, context) => {
      const items = grid(500, 4).map((item, index) => (index % 4 === 0 ? { ...item, ...FAILED } : item));
      let refusals = 0;
      let release;
      const released = new Promise((resolve) => (release = resolve));
      await context.route(LIST, async (route) => {
        if (!route.request().url().includes("cursor=")) {
          return route.fulfill({ json: { items: items.slice(1000), next_cursor: "second" } });
        }
        await released;
        if (refusals++ < 2) return route.fulfill({ status: 503, json: { detail: "Service temporarily unavailable" } });
        return route.fulfill({ json: { items: items.slice(0, 1000), next_cursor: null } });
      });
      await page.goto(`${server.url}/app/`);
      await page.getByRole("rowheader", { name: "product-250" }).waitFor();
      await page.getByText("250 products, loading the others …").waitFor();
      assert.equal(await page.getByRole("list", { name: "Summary" }).count(), 0);
      await page.getByLabel("Product", { exact: true }).fill("product-001");
      await page.getByText("0 products, loading the others …").waitFor();
      assert.equal(await page.getByText("No product matches the filters").count(), 0);
      await keepPicture(page, "matrix-loading");
      await page.evaluate(observeAnnouncements);
      release(); // the next two answers are 503: what is shown stays
      await page.getByText("1 of 500 products").waitFor();
      await page.getByRole("rowheader", { name: "product-001" }).waitFor();
      await page.getByRole("list", { name: "Summary" }).waitFor();
      assert.equal(refusals, 3);
      await page.waitForTimeout(300);
      assert.deepEqual(await page.evaluate(() => window.announced), [], "failures before the page was opened");
    }));

  test("keeps the focus in its cell, in view, when the products and environments before it arrive", () => {
    const all = grid(500, 8);
    const isLate = ({ product_name: name, environment_name: environment }) =>
      name < "product-250" || environment === "env-0";
    const early = all.filter((item) => !isLate(item));
    return withList(early, {}, async (page, list) => {
      const focused = () =>
        page.evaluate(() => {
          const cell = document.activeElement;
          const name = cell.closest("[data-row]")?.querySelector("[role=rowheader]").textContent;
          const index = cell.getAttribute("aria-colindex");
          return `${name} ${document.querySelector(`[role=columnheader][aria-colindex="${index}"]`)?.textContent}`;
        });
      const waitForFocus = async (cell) => {
        for (const end = Date.now() + WAIT_LIMIT; Date.now() < end && (await focused()) !== cell;) {
          await page.waitForTimeout(20);
        }
        assert.equal(await focused(), cell);
      };
      await page.getByText("250 of 250 products").waitFor();
      await page.getByRole("rowheader").first().focus();
      for (const key of ["ArrowRight", "ArrowDown", "ArrowDown"]) await page.keyboard.press(key);
      await waitForFocus("product-252 env-4");
      list.items = all;
      list.revision += 1;
      await page.getByText("500 of 500 products").waitFor();
      await page.getByRole("columnheader", { name: "env-0" }).waitFor();
      assert.equal(await focused(), "product-252 env-4");
      const [outer, cell] = await page.evaluate(() =>
        [document.querySelector("[role=grid]"), document.activeElement].map((element) => {
          const { top, bottom } = element.getBoundingClientRect();
          return { top, bottom };
        }),
      );
      assert.ok(cell.top > outer.top && cell.bottom <= outer.bottom, "the cell is in view");
      await page.keyboard.press("ArrowDown");
      await waitForFocus("product-253 env-4");
      await page.keyboard.press("ArrowLeft");
      await waitForFocus("product-253 env-0");
      list.items = all.filter(({ product_name: name }) => name !== "product-253");
      list.revision += 1;
      await page.getByText("499 of 499 products").waitFor();
      await page.getByRole("grid").evaluate((element) => element.querySelector("[tabindex='0']").focus());
      await waitForFocus("product-254 env-0");
    });
  });

  test("shows 500 products and 8 environments as soon as a page without data, within a factor, and shifts nothing", (t) =>
    withList(grid(500, 8), {}, async (page) => {
      // Milliseconds from the end of the transfer that the page needs last to the frame that shows the element.
      const paint = async (path, selector, resource) => {
        await page.goto(`${server.url}/app${path}`);
        return page.evaluate(timeToFrame, { selector, resource });
      };
      // The least of several runs; other programs on the machine delay some of them, so that more runs follow if it is too long.
      let [empty, full] = [Infinity, Infinity];
      for (let run = 1; run <= 5 || (full > 10 * empty && run <= 30); run++) {
        empty = Math.min(empty, await paint("/no-such-page", "main h1", ".js"));
        full = Math.min(full, await paint("/", "[role=gridcell]", "/environment-state/"));
      }
      t.diagnostic(
        `4,000 cells: ${full.toFixed(0)} ms after the data, a page without data: ${empty.toFixed(0)} ms after the scripts`,
      );
      assert.ok(full <= 10 * empty, `${full} ms against ${empty} ms`);
      const shift = await page.evaluate(layoutShift);
      assert.ok(shift <= 0.02, `layout shift of ${shift}`);
    }));

  test("mounts the columns in view alone above 20 of them", () =>
    withList(grid(30, 60), {}, async (page) => {
      assert.equal(await page.getByRole("grid").getAttribute("aria-colcount"), "61");
      assert.ok((await page.getByRole("columnheader").count()) <= 20);
      await page.getByRole("rowheader").first().focus();
      await page.keyboard.press("End");
      await page.waitForFunction(() => document.activeElement?.getAttribute("aria-colindex") === "61");
      await page.getByRole("columnheader", { name: "env-59" }).waitFor();
      const [header, cell] = await Promise.all([
        page.getByRole("columnheader", { name: "env-59" }).boundingBox(),
        page.locator("[data-row='0'] [data-column='60']").boundingBox(),
      ]);
      assert.equal(Math.round(header.x), Math.round(cell.x), "cells are below their headers");
      await page.keyboard.press("Home");
      for (const [key, count, at] of [
        ["ArrowRight", 12, "0,12"],
        ["ArrowDown", 20, "20,12"],
        ["ArrowLeft", 9, "20,3"],
        ["ArrowUp", 18, "2,3"],
      ]) {
        for (let press = 0; press < count; press++) await page.keyboard.press(key);
        const [row, column] = at.split(",");
        const target = page.locator(`[data-row='${row}'] [data-column='${column}']`);
        await page.waitForFunction(
          ([row, column]) => document.activeElement?.matches(`[data-row='${row}'] [data-column='${column}']`),
          [row, column],
        );
        const [outer, name, headers, box] = await Promise.all([
          page.getByRole("grid").boundingBox(),
          page.locator(`[data-row='${row}'] [role=rowheader]`).boundingBox(),
          page.getByRole("columnheader").first().boundingBox(),
          target.boundingBox(),
        ]);
        assert.ok(box.x >= name.x + name.width - 1 && box.x + box.width <= outer.x + outer.width + 1, `${at} in view`);
        assert.ok(box.y >= headers.y + headers.height - 1 && box.y + box.height <= outer.y + outer.height + 1, at);
      }
    }));

  test("opens the product of a row", () =>
    withList(grid(3, 2), {}, async (page) => {
      await page.getByRole("rowheader", { name: "product-001" }).focus();
      await page.keyboard.press("Enter");
      await page.waitForURL(`**/products/${id(1, 1)}`);
    }));

  test("counts and words every state", () => {
    const items = [
      state(1, 0, "production", "production", { versions_behind: 3 }),
      state(2, 0, "production", "production", { ...FAILED, latest_at: SINCE }),
      state(3, 0, "production", "production", {
        in_progress_deployment_id: id(3, 7777),
        in_progress_version: "9.9.9",
        in_progress_since: SINCE,
      }),
      state(4, 0, "production", "production", {
        latest_is_stale: true,
        latest_status: "started",
        latest_deployment_id: id(3, 1),
      }),
      state(5, 0, "production", "production", { has_drift: false }),
      state(6, 0, "production", "production"),
      state(6, 1, "staging", "staging", { version: null, deployment_id: null, since: null, versions_behind: null }),
      ...Array.from({ length: 40 }, (_, number) => state(6, 10 + number, `review/branch-${number}`, "dev")),
    ];
    return withList(items, {}, async (page) => {
      const words = ["3 behind", "failed", "in progress", "stale", "same everywhere", "differs", "never"];
      for (const word of words) await page.getByRole("gridcell", { name: word }).first().waitFor();
      const production = page
        .getByRole("list", { name: "Summary" })
        .getByRole("listitem")
        .filter({ hasText: "Production" });
      assert.match(
        (await production.textContent()).replace(/[^\w ]/g, " "),
        /3\s*fine.*1\s*failed.*1\s*in progress.*1\s*stale/,
      );
      await production.getByRole("button", { name: /failed/ }).click();
      await page.getByText("1 of 6 products").waitFor();
      await page.getByRole("button", { name: "Clear" }).click();
      await page.getByText("6 of 6 products").waitFor();
      await keepPicture(page, "states");
      assert.equal(await page.getByRole("columnheader").count(), 4, "review environments are one column");
      await page.getByRole("gridcell", { name: "40 environments" }).click();
      const panel = page.getByRole("dialog", { name: "product-006: review environments" });
      await panel.getByText("review/branch-39").waitFor();
      await page.keyboard.press("Escape");
      await page.getByLabel("Show each review environment").check();
      await page.getByRole("columnheader", { name: "review/branch-0" }).waitFor();
    });
  });

  test("survives hostile names", () => {
    const names = [
      '<img src=x onerror="alert(1)">',
      "a\u202eb\u2066c",
      "W".repeat(255),
      "🚀 émoji 👩‍👩‍👧‍👦",
      "javascript:alert(1)",
      "' OR 1=1 --",
    ];
    const items = names.map((name, index) =>
      state(index, 0, name, "production", { product_name: name, version: name, deployed_by_name: name }),
    );
    return withList(items, {}, async (page) => {
      await page.getByText("6 of 6 products").waitFor();
      assert.equal(await page.locator("main img").count(), 0);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0);
      await keepPicture(page, "hostile");
    });
  });
});

/** Runs in the page. */
function observeAnnouncements() {
  window.announced = [];
  new MutationObserver(() => {
    const text = document.querySelector("p[aria-live=polite]")?.textContent;
    if (text) window.announced.push(text);
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}

/** Runs in the page. */
async function timeToFrame({ selector, resource }) {
  while (!document.querySelector(selector)) await new Promise(requestAnimationFrame);
  const shown = await new Promise(requestAnimationFrame);
  const ends = performance.getEntriesByType("resource").filter(({ name }) => new URL(name).pathname.endsWith(resource));
  return shown - Math.max(...ends.map(({ responseEnd }) => responseEnd));
}

/** Runs in the page. */
function layoutShift() {
  return new Promise((resolve) => {
    new PerformanceObserver((list) => {
      resolve(list.getEntries().reduce((sum, { value }) => sum + value, 0));
    }).observe({ type: "layout-shift", buffered: true });
    setTimeout(resolve, 500, 0);
  });
}
