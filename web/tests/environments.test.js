// Tests of the first page: the summary, the grid, its panel and filters, and the page of an empty account.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { before, describe, test } from "node:test";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

import {
  WAIT_LIMIT,
  assertAccessible,
  assertAccessibleInEveryLook,
  cellOf,
  desk,
  keepPicture,
  phone,
  showsByNextPoll,
  suite,
  visit,
} from "./browser.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const KB = 1000;
const run = promisify(execFile);

describe("environments", suite, () => {
  let server, browser, token, emptyToken;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    [token, emptyToken] = await Promise.all([server.token(), server.token("admin", "empty")]);
  });

  const api = async (path) =>
    (await fetch(server.url + path, { headers: { Authorization: `Bearer ${token}` } })).json();
  const send = (key, body) =>
    fetch(`${server.url}/deployment-events/`, {
      method: "POST",
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });

  test("shows what runs where in every look", () =>
    visit(browser, server, "/", { token }, async (page) => {
      await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
      await page.getByRole("grid").waitFor();
      await page.waitForLoadState("networkidle");
      await assertAccessibleInEveryLook(page, "overview");
    }));

  for (const viewport of [desk, phone]) {
    test(`filters products at a width of ${viewport.width} px`, () =>
      visit(browser, server, "/", { token, viewport }, async (page) => {
        await page.getByRole("grid").waitFor();
        const { items } = await api("/environment-state/?environment=production&product=storefront");
        await page.getByLabel("Product", { exact: true }).fill("storefront");
        const cell = await cellOf(page, "storefront", "production");
        await cell.getByText(items[0].version, { exact: true }).first().waitFor();
        await page
          .getByRole("status")
          .getByText(/^1 of \d+ products$/)
          .waitFor();
        assert.match(page.url(), /\?q=storefront$/, "the filter is in the address");
      }));
  }

  test("moves through the grid by keyboard, opens a cell, and returns the focus", () =>
    visit(browser, server, "/", { token }, async (page) => {
      await page.getByRole("grid").waitFor();
      const focused = () =>
        page.evaluate(() => {
          const { activeElement: cell } = document;
          return [
            cell?.closest("[role=row]")?.getAttribute("aria-rowindex"),
            cell?.getAttribute("aria-colindex"),
          ].join();
        });
      const count = (name) => page.getByRole("grid").getAttribute(`aria-${name}count`);
      const [rows, columns] = [await count("row"), await count("col")];
      await page.getByRole("rowheader").first().focus();
      for (const [key, at] of [
        ["ArrowRight", "2,2"],
        ["ArrowDown", "3,2"],
        ["End", `3,${columns}`],
        ["Control+End", `${rows},${columns}`],
        ["Home", `${rows},1`],
        ["Control+Home", "2,1"],
        ["ArrowUp", "2,1"],
        ["ArrowRight", "2,2"],
      ]) {
        await page.keyboard.press(key);
        const deadline = Date.now() + WAIT_LIMIT; // a far row is mounted after the grid has scrolled
        while ((await focused()) !== at && Date.now() < deadline) await page.waitForTimeout(20);
        assert.equal(await focused(), at, key);
      }
      assert.equal(await page.locator("[role=grid] [tabindex='0']").count(), 1, "one cell takes the focus");
      await page.getByRole("rowheader", { name: "cart-service", exact: true }).focus();
      await page.keyboard.press("ArrowRight");
      const opened = await focused();
      await page.keyboard.press("Enter");
      const panel = page.getByRole("dialog");
      await panel.getByRole("heading", { name: "History" }).waitFor();
      await panel.getByText("runs now").waitFor();
      await keepPicture(page, "panel");
      await assertAccessible(page);
      assert.match(page.url(), /open=/, "the panel has an address");
      await page.keyboard.press("Escape");
      await panel.waitFor({ state: "detached" });
      assert.equal(await focused(), opened);
    }));

  test("shows an event within 8 seconds, and renders its row alone", () =>
    visit(browser, server, "/", { token }, async (page) => {
      const cell = await cellOf(page, "pricing-engine", "production");
      await cell.waitFor();
      await page.evaluate(() => {
        window.changedRows = new Set();
        new MutationObserver((changes) => {
          for (const { target } of changes) {
            const row = (target.nodeType === 1 ? target : target.parentElement)?.closest("[data-row]");
            if (row) window.changedRows.add(row.querySelector("[role=rowheader]").textContent);
          }
        }).observe(document.querySelector("[role=grid]"), { subtree: true, childList: true, characterData: true });
      });
      const event = {
        product_name: "pricing-engine",
        version: "99.0.0",
        environment_name: "production",
        status: "started",
      };
      assert.equal((await send(server.key, event)).status, 200);
      await showsByNextPoll(page, "/environment-state/", "99.0.0", cell.getByText("in progress"));
      const changed = await page.evaluate(() => [...window.changedRows]);
      assert.ok(changed.includes("pricing-engine") && changed.length <= 3, `changed rows: ${changed}`);
      await send(server.key, { ...event, status: "failed" });
    }));

  test("stays within the budget of the first page", () =>
    visit(browser, server, "/start", { token }, async (_, context) => {
      const page = await context.newPage();
      const transfers = [];
      page.on("response", (answer) => {
        transfers.push(answer.body().then((body) => ({ url: answer.url(), size: gzipSync(body).length })));
      });
      await page.goto(`${server.url}/app/`);
      await page.getByRole("grid").waitFor();
      const all = await Promise.all(transfers);
      const sum = (some) => some.reduce((total, { size }) => total + size, 0) / KB;
      const scripts = all.filter(({ url }) => url.endsWith(".js"));
      assert.ok(all.length <= 8, `${all.length} requests: ${all.map(({ url }) => url)}`);
      assert.ok(sum(scripts) <= 150, `${sum(scripts)} kB of scripts`);
      assert.ok(sum(all) <= 200, `${sum(all)} kB`);
    }));

  test("leads a new account to its first event in every look", () =>
    visit(browser, server, "/start", { token: emptyToken }, async (page) => {
      await page.getByRole("heading", { name: "Get started" }).waitFor();
      await page.getByRole("button", { name: "Create a key" }).waitFor();
      await assertAccessibleInEveryLook(page, "start");
    }));

  test("creates a key, and shows the first event that its own command sends", () =>
    visit(browser, server, "/start", { token: emptyToken }, async (page) => {
      await page.getByRole("button", { name: "Create a key" }).click();
      const key = await page.getByRole("region", { name: "API key" }).textContent();
      const command = await page.getByRole("region", { name: "curl" }).textContent();
      assert.ok(command.includes(`Bearer ${key}"`), "the command contains the key");
      await page.getByText("Waiting for the first event").waitFor();
      await run("sh", ["-c", command]);
      const first = page.getByRole("status").filter({ hasText: "checkout 1.4.2 in production" });
      await showsByNextPoll(page, "/deployments/", "1.4.2", first.getByText("completed"));
      await keepPicture(page, "first-event");
      await first.getByRole("link", { name: "See the overview" }).click();
      await page.getByRole("rowheader", { name: "checkout" }).waitFor();
      const hostile = '<img src=x onerror="alert(1)">\u202e';
      await send(key, {
        product_name: hostile,
        version: "1.4.2",
        environment_name: "production",
        status: "completed",
      });
      const row = page.getByRole("rowheader", { name: "<img src=x" });
      await showsByNextPoll(page, "/environment-state/", "<img src=x", row);
    }));
});
