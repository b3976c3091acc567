// Tests of the cells of the matrix: their states, initiators, panels and announcements, and the columns of review environments.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { keepPicture, suite, visit } from "./browser.js";
import { FAILED, LIST, SINCE, grid, id, observeAnnouncements, state, withList } from "./matrix-list.js";
import { sharedBrowser, sharedServer } from "./shared.js";

describe("cells", suite, () => {
  let server, browser, token;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    token = await server.token();
  });

  test("opens the product of a row", () =>
    withList({ browser, server, token }, grid(3, 2), async (page) => {
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
    return withList({ browser, server, token }, items, async (page) => {
      const words = ["3 behind", "failed", "in progress", "stale", "in sync", "differs", "never"];
      for (const word of words) {
        const shown = page.getByRole("gridcell", { name: word }).first().getByText(word);
        assert.ok((await shown.boundingBox()).width > 20, `${word} is visible`);
      }
      for (const [word, meaning] of [
        ["stale", /has not reported its end, and no event for a long time/],
        ["differs", /Other environments of the product run another version/],
        ["3 behind", /Newer versions of the product run, or have run, in other environments/],
        ["failed", /The newest deployment failed/],
      ]) {
        await page.getByRole("gridcell", { name: word }).first().getByTitle(meaning).getByText(word).waitFor();
      }
      await page.getByLabel("State").selectOption({ label: "stale" });
      await page.getByText("1 of 6 products").waitFor();
      await page.getByRole("rowheader", { name: "product-004" }).waitFor();
      await page.getByRole("button", { name: "Clear" }).click();
      await page.getByText("6 of 6 products").waitFor();
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

  test("shows who deployed what runs, what failed, hangs or is in progress, in the cell and in its panel", () => {
    const newest = { latest_version: "2.0.0-rc.1", latest_deployment_id: id(3, 9999) };
    const items = [
      state(1, 0, "production", "production"),
      state(2, 0, "production", "production", {
        ...newest,
        latest_status: "failed",
        latest_deployed_by: "bo",
        latest_deployed_by_name: "Bo Fail",
      }),
      state(3, 0, "production", "production", {
        in_progress_deployment_id: id(3, 9999),
        in_progress_version: "2.0.0-rc.1",
        in_progress_since: SINCE,
        in_progress_deployed_by: "cy",
      }),
      state(4, 0, "production", "production", {
        ...newest,
        latest_status: "started",
        latest_is_stale: true,
        latest_deployed_by_name: "Di Stale",
      }),
    ];
    return withList({ browser, server, token }, items, async (page) => {
      for (const [product, who, sentence] of [
        [1, "Ada Lovelace", /^Deployed .* ago by Ada Lovelace$/],
        [2, "Bo Fail", /^2\.0\.0-rc\.1 failed .* ago, by Bo Fail\.$/],
        [3, "cy", /^2\.0\.0-rc\.1 is being deployed; started .* ago, by cy\.$/],
        [4, "Di Stale", /^2\.0\.0-rc\.1 has no end; started .* ago, by Di Stale\.$/],
      ]) {
        const row = page
          .getByRole("row")
          .filter({ has: page.getByRole("rowheader", { name: `product-00${product}` }) });
        const name = row.getByText(who, { exact: true });
        await name.waitFor();
        const [outer, inner] = [await row.boundingBox(), await name.boundingBox()];
        assert.ok(inner.y >= outer.y && inner.y + inner.height <= outer.y + outer.height, `${who} is within the row`);
        assert.ok(await name.evaluate((element) => element.scrollWidth <= element.clientWidth), `${who} is not cut`);
        await row.getByRole("gridcell").click();
        await page.getByRole("dialog").getByText(sentence).waitFor();
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
      }
      await keepPicture(page, "initiators");
    });
  });

  test("says of a failed deployment whether the version that runs is the same, another or none", () => {
    const failed = { latest_status: "failed", latest_deployment_id: id(3, 9999) };
    const none = { deployment_id: null, version_id: null, version: null, since: null, versions_behind: null };
    const items = [
      state(1, 0, "production", "production", failed),
      state(2, 0, "production", "production", { ...failed, latest_version: "2.0.0" }),
      state(3, 0, "production", "production", { ...failed, ...none }),
    ];
    return withList({ browser, server, token }, items, async (page) => {
      for (const [product, meaning] of [
        [1, "Deploying 1.1.0 again failed; it still runs."],
        [2, "The newest deployment failed; the version before it still runs."],
        [3, "The newest deployment failed; no version runs here."],
      ]) {
        const row = page
          .getByRole("row")
          .filter({ has: page.getByRole("rowheader", { name: `product-00${product}` }) });
        await row.getByTitle(meaning, { exact: true }).waitFor();
        await row.getByRole("gridcell").click();
        await page.getByRole("dialog").getByText(meaning, { exact: true }).waitFor();
        await keepPicture(page, `failed-again-${product}`);
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
      }
    });
  });

  test("folds review environments into a column for each type, and no other environments", () => {
    const names = [
      ...Array.from({ length: 30 }, (_, number) => [`preview-${number}`, "staging"]),
      ["preview", "staging"],
      ["preview/pr-7", "dev"],
      ["pr-8", "dev"],
      ["preview-9", "production"],
      ["print-server", "dev"],
    ];
    const items = names.map(([name, type], number) => state(1, number, name, type));
    return withList({ browser, server, token }, items, async (page) => {
      const headers = () => page.getByRole("columnheader").allTextContents();
      assert.deepEqual(await headers(), [
        "Product",
        "preview-9",
        "preview",
        "Review (staging)",
        "print-server",
        "Review",
      ]);
      await page.getByRole("gridcell", { name: "2 environments" }).waitFor();
      await page.getByRole("gridcell", { name: "30 environments" }).click();
      const panel = page.getByRole("dialog", { name: "product-001: review environments" });
      await panel.getByText("preview-29", { exact: true }).waitFor();
      assert.equal(await panel.getByRole("listitem").count(), 30);
      await page.keyboard.press("Escape");
      await page.getByLabel("Type of environment").selectOption("staging");
      await page.waitForFunction(() => document.querySelectorAll("[role=columnheader]").length === 3);
      assert.deepEqual(await headers(), ["Product", "preview", "Review (staging)"]);
    });
  });

  test("announces failures once in 10 seconds, all of that time in one sentence", () =>
    visit(browser, server, "/start", { token }, async (page, context) => {
      const list = { items: grid(5, 1), revision: 1 };
      await context.route(LIST, (route) => route.fulfill({ json: { items: list.items, next_cursor: null } }));
      await page.clock.install();
      await page.goto(`${server.url}/app/`);
      await page.getByRole("grid").waitFor();
      await page.evaluate(observeAnnouncements);
      const fail = (index) => {
        const failed = { ...list.items[index], ...FAILED, latest_deployment_id: id(3, 9000 + index) };
        list.items = list.items.with(index, failed);
      };
      const announced = () => page.evaluate(() => [...new Set(window.announced)]);
      // An answer needs real time: time passes in steps until the page has read the list again.
      const poll = async (limit) => {
        const answered = page.waitForResponse((answer) => LIST.test(answer.url()));
        for (let passed = 0; passed < limit; passed++) await page.clock.runFor(1_000);
        await answered;
        await page.waitForTimeout(100);
      };
      fail(0);
      await poll(6);
      await page.waitForFunction(() => window.announced.length > 0);
      assert.deepEqual(await announced(), ["product-000 failed in env-0."]);
      fail(1);
      fail(2);
      await poll(6);
      await page.getByRole("row").filter({ hasText: "product-002" }).getByText("failed").waitFor();
      assert.equal((await announced()).length, 1, "nothing more within 10 seconds");
      await page.clock.runFor(10_000);
      await page.waitForFunction(() => window.announced.length > 1);
      assert.deepEqual((await announced()).slice(1), ["product-001 failed in env-0, product-002 failed in env-0."]);
    }));

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
    return withList({ browser, server, token }, items, async (page) => {
      await page.getByText("6 of 6 products").waitFor();
      assert.equal(await page.locator("main img").count(), 0);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0);
      await keepPicture(page, "hostile");
    });
  });
});
