// Tests of the grid with many products and environments. The browser intercepts the list, so that its content is exact.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { WAIT_LIMIT, keepPicture, suite, visit } from "./browser.js";
import { FAILED, LIST, grid, id, observeAnnouncements, timeToFrame, withList } from "./matrix-list.js";
import { sharedBrowser, sharedServer } from "./shared.js";

describe("matrix", suite, () => {
  let server, browser, token;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    token = await server.token();
  });

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
    withList({ browser, server, token }, grid(500, 8), async (page, list) => {
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
    withList({ browser, server, token }, grid(5000, 4), async (page) => {
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
    return withList({ browser, server, token }, early, async (page, list) => {
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
    withList({ browser, server, token }, grid(500, 8), async (page) => {
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
    withList({ browser, server, token }, grid(30, 60), async (page) => {
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

  test("moves by pages through the grid, and to the ends of rows and of the grid", () =>
    withList({ browser, server, token }, grid(200, 8), async (page) => {
      await page.getByText("200 of 200 products").waitFor();
      const at = (row, column) =>
        page.waitForFunction(
          ([row, column]) => document.activeElement?.matches(`[data-row='${row}'] [data-column='${column}']`),
          [row, column],
        );
      // The height of the grid depends on what is shown above it.
      const pageOfRows = () =>
        page
          .getByRole("grid")
          .evaluate((grid) => Math.floor(grid.clientHeight / grid.querySelector("[data-row]").offsetHeight) - 1);
      await page.getByRole("rowheader").first().focus();
      let row = 0;
      for (const [key, move, column] of [
        ["ArrowRight", (from) => from, 1],
        ["PageDown", (from, step) => from + step, 1],
        ["PageDown", (from, step) => from + step, 1],
        ["End", (from) => from, 8],
        ["PageUp", (from, step) => from - step, 8],
        ["Home", (from) => from, 0],
        ["PageUp", (from, step) => Math.max(0, from - step), 0],
        ["PageUp", (from, step) => Math.max(0, from - step), 0],
        ["Control+End", () => 199, 8],
        ["PageDown", () => 199, 8],
        ["PageUp", (from, step) => from - step, 8],
        ["Control+Home", () => 0, 0],
      ]) {
        const step = await pageOfRows();
        assert.ok(step >= 4 && step < 40, `${step} rows`);
        await page.keyboard.press(key);
        row = move(row, step);
        await at(row, column);
        const [outer, cell] = await page.evaluate(() =>
          [document.querySelector("[role=grid]"), document.activeElement].map((element) => {
            const { top, bottom } = element.getBoundingClientRect();
            return { top, bottom };
          }),
        );
        assert.ok(cell.top >= outer.top && cell.bottom <= outer.bottom + 1, `${key}: the cell is in view`);
      }
    }));
});

/** Runs in the page. */
function layoutShift() {
  return new Promise((resolve) => {
    new PerformanceObserver((list) => {
      resolve(list.getEntries().reduce((sum, { value }) => sum + value, 0));
    }).observe({ type: "layout-shift", buffered: true });
    setTimeout(resolve, 500, 0);
  });
}
