// Tests of the products and environments: their lists, pages and forms.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { assertAccessible, assertAccessibleInEveryLook, desk, keepPicture, phone, suite, visit } from "./browser.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const hostile = '<b onclick="alert(1)">\u202eevil"\'';

describe("products and environments", suite, () => {
  let server, browser, token, viewer;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    [token, viewer] = await Promise.all([server.token(), server.token("viewer")]);
  });

  const request = (method, path, body) => callServer(server, token, method, path, body);
  const first = async (path) => (await request("GET", path)).items[0];
  const rows = (page, name) => page.getByRole("table", { name }).locator("tbody tr");

  const pages = [
    ["products", "Products", async () => "/products"],
    ["product", "search-api", async () => `/products/${(await first("/products/?q=search-api")).id}`],
    ["environment-list", "Environments", async () => "/environments"],
    ["environment", "production", async () => `/environments/${(await first("/environments/?q=production")).id}`],
  ];
  for (const [name, heading, path] of pages) {
    test(`shows the page ${name} in every look, to viewers without actions`, async () =>
      visit(browser, server, await path(), { token: viewer }, async (page) => {
        await page.getByRole("heading", { level: 1, name: heading }).waitFor();
        await page.locator("tbody tr").first().waitFor();
        if (name === "product") await page.getByRole("list", { name: "Versions in production" }).waitFor();
        await assertAccessibleInEveryLook(page, name);
        assert.equal(await page.getByRole("button", { name: /^(New|Edit|Delete)/ }).count(), 0);
      }));
  }

  test("lists and suggests products and environments by name", () =>
    visit(browser, server, "/products", { token: viewer }, async (page) => {
      const names = () => page.locator("tbody tr td:first-child").allTextContents();
      const assertSorted = (names) => assert.deepEqual(names, names.toSorted());
      for (const path of ["/products", "/environments"]) {
        await page.goto(`${server.url}/app${path}`);
        await page.locator("tbody tr").nth(1).waitFor();
        assertSorted(await names());
      }
      await page.goto(`${server.url}/app/deployments`);
      for (const label of ["Product", "Environment"]) {
        const options = page.locator(
          `datalist[id="${await page.getByLabel(label, { exact: true }).getAttribute("list")}"] option`,
        );
        await options.nth(1).waitFor({ state: "attached" });
        assertSorted(await options.evaluateAll((all) => all.map(({ value }) => value)));
      }
    }));

  test("lists the products of an environment by name", async () => {
    const { id } = await first("/environments/?q=production");
    const { compare } = new Intl.Collator("en-US", { numeric: true, sensitivity: "base" });
    const { items } = await request("GET", `/environment-state/?environment=${id}&limit=1000`);
    const names = items.map(({ product_name: name }) => name);
    const sorted = names.toSorted(compare);
    assert.notDeepEqual(names, sorted, "the server sorts them otherwise");
    await visit(browser, server, `/environments/${id}`, { token: viewer }, async (page) => {
      await rows(page, "Which version runs").nth(1).waitFor();
      const shown = await page.locator("tbody tr td:first-child").allTextContents();
      assert.deepEqual(shown, sorted.slice(0, shown.length));
    });
  });

  test("shows on every width since when and by whom a version runs, and which deployment failed or is in progress", async () => {
    const send = (version, status, deployed_by_name, environment_name) =>
      callServer(server, server.key, "POST", "/deployment-events/", {
        product_name: "initiated",
        ...{ version, status, deployed_by_name, environment_name },
      });
    await send("1.0.0", "completed", "Ada Lovelace", "initiated-live");
    await send("1.1.0", "failed", "Grace Hopper", "initiated-live");
    const { product_id: id } = await send("1.2.0", "started", "Alan Turing", "initiated-stage");
    await visit(browser, server, `/products/${id}`, { token: viewer }, async (page) => {
      const row = (name) => rows(page, "Which version runs").filter({ hasText: name });
      await row("initiated-live").waitFor();
      for (const viewport of [desk, { width: 800, height: 800 }, phone]) {
        await page.setViewportSize(viewport);
        const failed = await row("initiated-live").innerText();
        const when = String.raw`(just now|\d+ (s|min) ago)`;
        assert.match(failed, new RegExp(String.raw`1\.0\.0\s+${when}\s+(by )?Ada Lovelace`));
        assert.match(failed, new RegExp(String.raw`failed\s+1\.1\.0\s+${when}\s+by Grace Hopper`));
        const started = await row("initiated-stage").innerText();
        assert.match(started, new RegExp(String.raw`in progress\s+1\.2\.0\s+${when}\s+by Alan Turing`));
        await keepPicture(page, `initiated-${viewport.width}`);
      }
      await row("initiated-live").getByRole("link", { name: "1.1.0" }).click();
      await page.getByRole("heading", { level: 1, name: "initiated 1.1.0 in initiated-live" }).waitFor();
    });
  });

  test("finds products by a part of the name, which is in the address", () =>
    visit(browser, server, "/products", { token }, async (page) => {
      await rows(page, "Products").first().waitFor();
      await page.keyboard.press("/");
      await page.keyboard.type("SEARCH");
      await page.waitForURL(/\?q=SEARCH$/);
      await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
      await page.reload();
      await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
      await page.getByLabel("Filter products").fill("nothing like this");
      await page.getByRole("heading", { name: "No product matches the filter" }).waitFor();
    }));

  test("mounts the rows in view alone of a long list", () =>
    visit(browser, server, "/start", { token: viewer }, async (page, context) => {
      const product = (number) => ({
        id: `01a1f44d-1000-7000-8000-${String(number).padStart(12, "0")}`,
        name: `product-${number}`,
        description: "",
        extra_metadata: {},
        created_at: "2026-01-05T10:00:00Z",
        updated_at: "2026-01-05T10:00:00Z",
      });
      await context.route(/\/products\/\?/, (route) => {
        const parameters = new URL(route.request().url()).searchParams;
        const from = Number(parameters.get("cursor") ?? 0);
        const next = from + Number(parameters.get("limit"));
        const items = Array.from({ length: next - from }, (_, index) => product(from + index));
        return route.fulfill({ json: { items, next_cursor: next < 5000 ? String(next) : null } });
      });
      await page.goto(`${server.url}/app/products`);
      const more = page.getByRole("button", { name: "Load more" });
      for (const loaded of [400, 600, 800]) {
        await more.click();
        await page.getByText(`${loaded} products loaded`).waitFor();
      }
      assert.ok((await rows(page, "Products").count()) <= 80);
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      await page.getByRole("link", { name: "product-799" }).waitFor();
      await page.evaluate(() => scrollTo(0, 0));
      await page.getByRole("link", { name: "product-0", exact: true }).waitFor();
      await assertAccessible(page);
    }));

  for (const [kind, list, empty] of [
    ["product", "/products", "No deployment yet"],
    ["environment", "/environments", "Nothing has been deployed here yet"],
  ]) {
    test(`creates, changes and deletes a ${kind} with a hostile name`, () =>
      visit(browser, server, list, { token, expected: [/409/] }, async (page) => {
        await page.getByRole("button", { name: `New ${kind}` }).click();
        const dialog = page.getByRole("dialog");
        await dialog.getByRole("button", { name: "Create" }).click();
        await dialog.getByText("This field is required.").waitFor();
        await dialog.getByLabel("Name").fill(hostile);
        await dialog.getByLabel("Metadata").fill("[1]");
        await dialog.getByRole("button", { name: "Create" }).click();
        await dialog.getByText("Write a JSON object").waitFor();
        await keepPicture(page, `${kind}-form`);
        await assertAccessible(page);
        await dialog.getByLabel("Metadata").fill('{"team": "shop", "size": 3}');
        await dialog.getByRole("button", { name: "Create" }).click();
        await page.getByRole("heading", { level: 1, name: "<b onclick" }).waitFor();
        await page.getByRole("heading", { name: empty }).first().waitFor();
        await page.getByText('"team": "shop"').waitFor();

        await page.getByRole("button", { name: "Edit" }).click();
        await dialog.getByLabel("Description").fill("Changed");
        await dialog.getByLabel("Metadata").fill('{"team": "basket"}');
        if (kind === "environment") await dialog.getByLabel("Type").selectOption("staging");
        await dialog.getByRole("button", { name: "Save" }).click();
        await dialog.waitFor({ state: "detached" });
        await page.getByText("Changed").waitFor();
        await page.getByText('"team": "basket"').waitFor();
        assert.equal(await page.getByText('"size": 3').count(), 0, "the member was removed");

        await page.getByRole("button", { name: "Delete" }).click();
        const remove = dialog.getByRole("button", { name: "Delete" });
        assert.ok(await remove.isDisabled());
        await dialog.getByRole("checkbox").check();
        await assertAccessible(page);
        await remove.click();
        await page.waitForURL(new RegExp(`${list}$`));
      }));
  }

  test("explains a change of another user, and keeps what was typed", async () => {
    const { id } = await request("POST", "/products/", { name: "contested", description: "old" });
    await visit(browser, server, `/products/${id}`, { token, expected: [/412/] }, async (page) => {
      await page.getByRole("button", { name: "Edit" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Description").fill("mine");
      await request("PATCH", `/products/${id}`, { description: "theirs", extra_metadata: { team: "other" } });
      await page.locator("header").getByText("theirs").waitFor();
      assert.equal(
        await dialog.getByRole("alert").count(),
        0,
        "the form is as it was opened while the page is updated",
      );
      await dialog.getByRole("button", { name: "Save" }).click();
      const conflict = dialog.getByRole("alert");
      await conflict.getByText("theirs").waitFor();
      await conflict.getByText("mine").waitFor();
      assert.equal(await dialog.getByLabel("Description").inputValue(), "mine");
      await keepPicture(page, "conflict");
      await assertAccessible(page);
      await dialog.getByRole("button", { name: "Save my changes over it" }).click();
      await dialog.waitFor({ state: "detached" });
      const now = await request("GET", `/products/${id}`);
      assert.equal(now.description, "mine");
      assert.deepEqual(
        now.extra_metadata,
        { team: "other" },
        "fields that the user left alone keep the other's values",
      );
    });
  });

  test("does not delete what another user has changed", async () => {
    const { id } = await request("POST", "/environments/", { name: "changing" });
    await visit(browser, server, `/environments/${id}`, { token, expected: [/412/] }, async (page) => {
      await page.getByRole("button", { name: "Delete" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("checkbox").check();
      await request("PATCH", `/environments/${id}`, { description: "changed" });
      await dialog.getByRole("button", { name: "Delete" }).click();
      await dialog.getByText("It has not been deleted").waitFor();
      await dialog.getByRole("checkbox").check();
      await dialog.getByRole("button", { name: "Delete" }).click();
      await page.waitForURL(/\/environments$/);
    });
  });

  for (const [role, permitted] of [
    ["admin", ["product", "environment", "release"]],
    ["sre", ["environment"]],
    ["developer", ["release"]],
    ["viewer", []],
  ]) {
    test(`shows the ${role} the actions of the role`, async () =>
      visit(browser, server, "/products", { token: await server.token(role) }, async (page) => {
        for (const kind of ["product", "environment", "release"]) {
          await page.goto(`${server.url}/app/${kind}s`);
          await page.getByRole("button", { name: `dev-${role}` }).waitFor();
          await page.getByRole("main").getByRole("listitem").or(page.locator("tbody tr")).first().waitFor();
          const isPermitted = permitted.includes(kind);
          assert.equal(await page.getByRole("button", { name: `New ${kind}` }).count(), isPermitted ? 1 : 0, kind);
        }
      }));
  }

  test("shows the server's message for a name that is taken", () =>
    visit(browser, server, "/products", { token, expected: [/409/] }, async (page) => {
      await page.getByRole("button", { name: "New product" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Name").fill("search-api");
      await dialog.getByRole("button", { name: "Create" }).click();
      await dialog
        .getByRole("alert")
        .getByText(/exists|taken|use/)
        .waitFor();
      assert.equal(await dialog.getByLabel("Name").inputValue(), "search-api");
    }));

  test("shows the versions over time, and its range in the address", async () => {
    const { id } = await first("/products/?q=search-api");
    await visit(browser, server, `/products/${id}`, { token }, async (page) => {
      const timeline = page.getByRole("list", { name: "Versions in production" });
      await timeline.waitFor();
      await page.getByLabel("Range").selectOption("30d");
      await page.waitForURL(/range=30d/);
      const state = await first(`/environment-state/?product=${id}&environment=production`);
      await timeline.getByText(state.version, { exact: true }).first().waitFor();
      const width = await timeline.evaluate((list) => list.scrollWidth - list.clientWidth);
      assert.ok(width <= 16, `the timeline is ${width} px too wide`);
      await timeline.getByRole("link").first().click();
      await page.waitForURL(/\/deployments\//);
    });
  });
});
