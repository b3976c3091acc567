// Tests of the versions, builds and releases: their lists, pages, and the board.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import {
  assertAccessible,
  assertAccessibleInEveryLook,
  keepPicture,
  phone,
  suite,
  visit,
  waitForFocus,
} from "./browser.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const hostile = '<i onmouseover="alert(1)">\u202erelease"\'';

describe("versions, builds and releases", suite, () => {
  let server, browser, token, viewer;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    [token, viewer] = await Promise.all([server.token(), server.token("viewer")]);
  });

  const request = (method, path, body) => callServer(server, token, method, path, body);
  const first = async (path) => (await request("GET", path)).items[0];
  const productionState = () => first("/environment-state/?environment=production&product=search-api");

  const pages = [
    ["versions", async () => "/versions", (page) => page.locator("tbody tr").first().waitFor()],
    [
      "version",
      async () => `/versions/${(await productionState()).version_id}`,
      async (page) => {
        await page
          .getByRole("table", { name: "Which version runs" })
          .getByRole("link", { name: "production" })
          .waitFor();
        await page.getByRole("table", { name: "Deployments" }).locator("tbody tr").first().waitFor();
        await page.getByRole("table", { name: "Builds" }).getByText("completed").first().waitFor();
      },
    ],
    ["builds", async () => "/builds", (page) => page.locator("tbody tr").first().waitFor()],
    [
      "build",
      async () => `/builds/${(await first("/builds/?status=failed")).id}`,
      (page) => page.getByText("created it").waitFor(),
    ],
    ["releases", async () => "/releases", (page) => page.getByText("Holiday season").waitFor()],
    [
      "release",
      async () => `/releases/${(await first("/releases/?status=in_progress")).id}`,
      (page) =>
        page
          .getByRole("region", { name: "Progress by product" })
          .getByRole("columnheader", { name: "staging" })
          .waitFor(),
    ],
  ];
  for (const [name, path, shown] of pages) {
    test(`shows the page ${name} in every look, to viewers without actions`, async () =>
      visit(browser, server, await path(), { token: viewer }, async (page) => {
        await shown(page);
        await assertAccessibleInEveryLook(page, name);
        assert.equal(await page.getByRole("button", { name: /^(New|Edit|Delete|Move|Add|Remove|Start)/ }).count(), 0);
      }));
  }

  test("lists the releases that contain a version", async () => {
    const { id } = await first("/releases/?q=Holiday");
    const version = await first(`/releases/${id}/versions`);
    await visit(browser, server, `/versions/${version.id}`, { token }, async (page) => {
      await page.getByRole("table", { name: "Releases" }).getByRole("link", { name: "Holiday season" }).click();
      await page.getByRole("heading", { level: 1, name: "Holiday season" }).waitFor();
      await page.goto(`${server.url}/app/versions/${(await first("/versions/")).id}`);
      await page.getByRole("heading", { name: "No release contains this version" }).waitFor();
    });
  });

  test("filters versions and builds by the address", async () => {
    const { scm_sha, version } = await first("/builds/?product=search-api&status=completed");
    const failed = await first("/builds/?status=failed");
    await visit(browser, server, `/versions?scm_sha=${scm_sha}`, { token }, async (page) => {
      await page.getByRole("link", { name: version, exact: true }).first().waitFor();
      await page.getByLabel("Filter versions").fill("no such version");
      await page.getByRole("heading", { name: "No version matches the filters" }).waitFor();
      await page.goto(`${server.url}/app/builds?status=failed&product=${failed.product_name}`);
      await page.locator("tbody tr").first().getByText("failed").waitFor();
      await page.getByRole("button", { name: "Clear" }).click();
      await page.waitForURL((url) => url.search === "");
    });
  });

  test("creates a release, adds and removes versions, moves and deletes it", () =>
    visit(browser, server, "/releases", { token }, async (page) => {
      await page.getByRole("button", { name: "New release" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Name").fill(hostile);
      await assertAccessible(page);
      await dialog.getByRole("button", { name: "Create" }).click();
      await page.getByRole("heading", { level: 1, name: "<i onmouseover" }).waitFor();
      await page.getByRole("heading", { name: "This release has no version" }).waitFor();

      await page.getByRole("button", { name: "Add versions" }).click();
      await dialog.getByLabel("Product").fill("search-api");
      const choices = dialog.getByRole("button", { name: /^Add search-api/ });
      await choices.nth(1).waitFor();
      await keepPicture(page, "add-versions");
      await assertAccessible(page);
      await choices.first().click();
      await dialog.getByText("in the release").waitFor();
      await dialog
        .getByRole("button", { name: /^Replace by search-api/ })
        .first()
        .click();
      await dialog.getByRole("listitem").nth(1).getByText("in the release").waitFor();
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
      const versions = page.getByRole("table", { name: "Versions of the release" });
      assert.equal(await versions.locator("tbody tr").count(), 1, "one version of a product");
      await page
        .getByRole("region", { name: "Progress by product" })
        .getByRole("rowheader", { name: /search-api/ })
        .waitFor();
      await versions.getByRole("button", { name: /^Remove search-api/ }).press("Enter");
      await page.getByRole("heading", { name: "This release has no version" }).waitFor();
      await waitForFocus(page.getByRole("button", { name: "Add versions" }));

      await page.getByRole("button", { name: "Edit" }).click();
      await dialog.getByLabel("Description").fill("For the test");
      await dialog.getByRole("button", { name: "Save" }).click();
      await dialog.waitFor({ state: "detached" });
      await page.getByText("For the test").waitFor();
      await page.getByRole("button", { name: "Start", exact: true }).click();
      await page.getByRole("button", { name: "Complete", exact: true }).click();
      await page.getByText("This release is completed").waitFor();
      assert.equal(await page.getByRole("button", { name: "Add versions" }).count(), 0, "it is closed");
      await page.getByRole("button", { name: "Delete" }).click();
      await dialog.getByRole("checkbox").check();
      await dialog.getByRole("button", { name: "Delete" }).click();
      await page.waitForURL(/\/releases$/);
    }));

  test("says which version runs where that of the release does not", async () => {
    const record = (product_name, version, environment_name) =>
      callServer(server, server.key, "POST", "/deployment-events/", {
        product_name,
        version,
        environment_name,
        status: "completed",
      });
    await record("rolled-back", "4.7.3", "production");
    const rolledBack = await record("rolled-back", "4.8.0", "production");
    await record("rolled-back", "4.7.3", "production");
    const overtaken = await record("overtaken", "7.28.1", "staging");
    await record("overtaken", "7.28.2", "production");
    const { id } = await request("POST", "/releases/", { name: "Overtaken" });
    for (const { version_id } of [rolledBack, overtaken]) {
      await request("POST", `/releases/${id}/versions`, { version_id });
    }
    await visit(browser, server, `/releases/${id}`, { token: viewer }, async (page) => {
      const grid = page.getByRole("region", { name: "Progress by product" });
      await grid.getByRole("columnheader", { name: "production", exact: true }).waitFor();
      const names = await grid.getByRole("columnheader").allTextContents();
      const cell = (product, environment) =>
        grid
          .getByRole("row")
          .filter({ has: page.getByRole("rowheader", { name: product }) })
          .getByRole("cell")
          .nth(names.indexOf(environment) - 1);
      await cell("rolled-back", "production").getByText("runs now").waitFor();
      assert.match(await cell("rolled-back", "production").textContent(), /^✓deployed.*4\.7\.3runs now$/);
      assert.match(await cell("overtaken", "production").textContent(), /^–not deployed7\.28\.2runs now$/);
      assert.match(await cell("overtaken", "staging").textContent(), /^✓deployed((?!runs now).)*$/);
      assert.equal(await cell("rolled-back", "staging").textContent(), "–not yet");
      await assertAccessibleInEveryLook(page, "release-overtaken");
    });
    await request("DELETE", `/releases/${id}`);
  });

  test("moves a release on the board by menu and by dragging", async () => {
    const menu = await request("POST", "/releases/", { name: "By menu" });
    await request("POST", "/releases/", { name: "By dragging" });
    await visit(browser, server, "/releases", { token }, async (page) => {
      const column = (name) => page.getByRole("region", { name, exact: true });
      const move = column("Draft").getByRole("button", { name: "Move By menu" });
      await move.focus();
      await page.keyboard.press("Enter");
      const start = page.getByRole("menuitem", { name: "Start" });
      await waitForFocus(start);
      await keepPicture(page, "board-menu");
      assert.equal(await page.getByRole("menuitem", { name: "Complete" }).count(), 0, "a draft cannot be completed");
      await page.keyboard.press("Enter");
      await column("In progress").getByRole("link", { name: "By menu" }).waitFor();
      assert.equal((await request("GET", `/releases/${menu.id}`)).status, "in_progress");
      await column("Draft").getByRole("listitem").filter({ hasText: "By dragging" }).dragTo(column("Cancelled"));
      await column("Cancelled").getByRole("link", { name: "By dragging" }).waitFor();
    });
  });

  test("stacks the columns of the board on phones, however long a name is", async () => {
    const name = `Stacked${"-without-a-space".repeat(5)}_${"x".repeat(80)}`;
    const { id } = await request("POST", "/releases/", { name, description: "y".repeat(200) });
    await visit(browser, server, "/releases", { token, viewport: phone }, async (page) => {
      await page.getByRole("link", { name }).waitFor();
      const boxes = await Promise.all(
        ["Draft", "In progress", "Completed", "Cancelled"].map((title) =>
          page.getByRole("region", { name: title, exact: true }).boundingBox(),
        ),
      );
      for (const [index, { x, y, width }] of boxes.entries()) {
        assert.ok(x >= 0 && x + width <= phone.width, `column ${index} is in view`);
        assert.ok(index === 0 || y >= boxes[index - 1].y + boxes[index - 1].height, "below the one before");
      }
      const { x, width } = await page.getByRole("link", { name }).boundingBox();
      assert.ok(x + width <= phone.width, "the name is not cut by the column");
      await assertAccessibleInEveryLook(page, "releases-long-name");
    });
    await request("DELETE", `/releases/${id}`);
  });

  test("does not move a release that another user has moved", async () => {
    const { id } = await request("POST", "/releases/", { name: "Moved elsewhere" });
    await visit(browser, server, `/releases/${id}`, { token }, async (page) => {
      await page.getByRole("button", { name: "Start", exact: true }).waitFor();
      await request("PATCH", `/releases/${id}`, { status: "cancelled" });
      await page.getByRole("button", { name: "Start", exact: true }).click();
      await page.getByRole("alert").getByText("Another user has moved this release").waitFor();
      await page.getByText("This release is cancelled").waitFor();
    });
  });
});
