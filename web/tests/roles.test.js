// Tests of what users without a permission see: no action, and the reason.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { assertAccessible, keepPicture, suite, visit } from "./browser.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

describe("roles", suite, () => {
  let server, browser, admin, paths;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    admin = await server.token();
    const first = async (path) => (await callServer(server, admin, "GET", path)).items[0].id;
    paths = {
      product: `/products/${await first("/products/?limit=1")}`,
      environment: `/environments/${await first("/environments/?limit=1")}`,
      release: `/releases/${await first("/releases/?limit=1&status=draft")}`,
      version: `/versions/${await first("/versions/?limit=1")}`,
    };
  });

  const pages = [
    ["/products", "create products", ["New product"]],
    ["/environments", "create environments", ["New environment"]],
    ["/releases", "create or move releases", ["New release", /^Move/]],
    ["product", "edit or delete products", ["Edit", "Delete"]],
    ["environment", "edit or delete environments", ["Edit", "Delete"]],
    [
      "release",
      "edit, move or delete releases, or change their versions",
      ["Edit", "Delete", "Start", "Add versions", "Remove"],
    ],
    ["version", "approve or reject versions, or revoke decisions", ["Approve", "Reject"]],
    ["/start", "create API keys", ["Create a key"]],
  ];

  for (const [page, what, actions] of pages) {
    test(`${page}: a viewer has no actions and reads why, an administrator has them and reads nothing`, async () => {
      const path = paths[page] ?? page;
      const note = (shown) => shown.getByRole("note").filter({ hasText: "Your role may" });
      await visit(browser, server, path, { token: await server.token("viewer") }, async (shown) => {
        await note(shown).getByText(`Your role may not ${what}: ask an administrator of the account.`).waitFor();
        await shown.waitForLoadState("networkidle");
        for (const name of actions) assert.equal(await shown.getByRole("button", { name, exact: true }).count(), 0);
        await keepPicture(shown, `viewer${page.replaceAll("/", "-")}`);
        await assertAccessible(shown);
      });
      await visit(browser, server, path, { token: admin }, async (shown) => {
        await shown.getByRole("button", { name: actions[0], exact: true }).waitFor();
        assert.equal(await note(shown).count(), 0);
      });
    });
  }

  test("a role with some approvals reads which", async () => {
    const token = await server.token("qa");
    await visit(browser, server, paths.version, { token }, async (page) => {
      await page.getByRole("button", { name: "Approve", exact: true }).waitFor();
      await page.getByText("Your role may decide about QA and Performance, and revoke your own decisions").waitFor();
    });
  });

  test("claims nothing before the role is known", () =>
    visit(browser, server, "/start", { token: admin }, async (page, context) => {
      let release;
      const released = new Promise((resolve) => (release = resolve));
      await context.route(/\/auth\/session$/, async (route) => {
        await released;
        return route.continue();
      });
      for (const [path, action] of [
        ["/products", page.getByRole("button", { name: "New product" })],
        ["/settings/audit", page.getByRole("list", { name: "Changes" })],
      ]) {
        await page.goto(`${server.url}/app${path}`);
        await page.getByRole("heading", { level: 1 }).waitFor();
        await page.waitForTimeout(300);
        assert.equal(await page.getByText("Your role may").count(), 0);
        release();
        await action.waitFor();
      }
    }));
});
