// Tests of deployment buttons: the page of templates and variables, and the links in the overview and on the page of a version.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { assertAccessible, assertAccessibleInEveryLook, keepPicture, suite, visit, waitForFocus } from "./browser.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

describe("templates", suite, () => {
  let server, browser, admin, viewer, event;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    [admin, viewer] = await Promise.all(["admin", "viewer"].map((role) => server.token(role)));
    const body = { product_name: "buttoned", version: "1.0+a", environment_name: "buttoned-live", status: "completed" };
    event = await call("POST", "/deployment-events/", body, server.key);
    await call("POST", "/deployment-events/", { ...body, environment_name: "buttoned-test" }, server.key);
  });

  const call = (method, path, body, token = admin) => callServer(server, token, method, path, body);

  test("are created with their variables, previewed, changed and deleted", async () => {
    await visit(browser, server, "/settings/buttons", { token: admin, expected: [/409|412|422/] }, async (page) => {
      await page.getByRole("button", { name: "Create a template" }).click();
      let form = page.getByRole("dialog", { name: "Create a template" });
      await form.getByLabel("Product").fill("buttoned");
      await form.getByLabel("Label").fill("Run workflow");
      await form.getByLabel("URL").fill("javascript:alert(1)");
      await form.getByRole("combobox", { name: "Environments" }).fill("no such environment");
      await form.getByRole("combobox", { name: "Environments" }).press("Enter");
      await form.getByRole("button", { name: "Create" }).click();
      await form.getByText("There is no environment no such environment.").waitFor();
      await form.getByRole("combobox", { name: "Environments" }).fill("another");
      await form.getByRole("combobox", { name: "Environments" }).press("Enter");
      await form.getByRole("button", { name: "Remove no such environment" }).press("Enter");
      await waitForFocus(form.getByRole("button", { name: "Remove another" }));
      await page.keyboard.press("Enter");
      await waitForFocus(form.getByRole("combobox", { name: "Environments" }));
      await form.getByRole("combobox", { name: "Environments" }).fill("buttoned-live");
      await form.getByRole("combobox", { name: "Environments" }).press("Enter");
      await form.getByRole("button", { name: "Create" }).click();
      await form.getByText("must begin with http:// or https://").waitFor();
      assert.equal(await form.getByRole("alert").count(), 0, "the reason is beside the field alone");
      await assertAccessibleInEveryLook(page, "template-form");
      await form.getByLabel("URL").fill("https://ci.example.com/{{job}}?version={{vi_version}}");
      await form.getByRole("button", { name: "Create" }).click();
      await form.waitFor({ state: "detached" });

      await page.getByRole("button", { name: "Preview Run workflow of buttoned" }).click();
      const preview = page.getByRole("dialog", { name: "Preview of Run workflow" });
      await preview.getByText("Missing variable: job").waitFor();
      await page.keyboard.press("Escape");

      await page.getByRole("button", { name: "Create a variable" }).click();
      form = page.getByRole("dialog", { name: "Create a variable" });
      await form.getByLabel("Key").fill("vi_x");
      await form.getByLabel("Value").fill("deploy shop");
      await form.getByRole("button", { name: "Create" }).click();
      await form.getByText("must not begin with vi_").waitFor();
      await form.getByLabel("Key").fill("job");
      await form.getByLabel("Product").fill("buttoned");
      await form.getByRole("button", { name: "Create" }).click();
      await form.waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Preview Run workflow of buttoned" }).click();
      await preview.getByText("https://ci.example.com/deploy%20shop?version=1.0%2Ba", { exact: true }).waitFor();
      await keepPicture(page, "template-preview");
      await assertAccessible(page);
      await page.keyboard.press("Escape");

      const id = (await call("GET", "/deployment-templates/?product=buttoned")).items[0].id;
      await page.getByRole("button", { name: "Edit Run workflow of buttoned" }).click();
      form = page.getByRole("dialog", { name: "Edit Run workflow of buttoned" });
      await form.getByLabel("Label").fill("Deploy with Jenkins");
      await call("PATCH", `/deployment-templates/${id}`, { enabled: false });
      await form.getByRole("button", { name: "Save" }).click();
      await form.getByRole("button", { name: "Save my changes over it" }).click();
      await form.waitFor({ state: "detached" });
      await page.getByText("Deploy with Jenkins").waitFor();
      await page.getByText("not shown").waitFor();
      await assertAccessibleInEveryLook(page, "templates");

      await page.getByRole("button", { name: "Delete Deploy with Jenkins of buttoned" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
      await page.getByRole("button", { name: "Delete Deploy with Jenkins of buttoned" }).waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Delete job of buttoned" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
      await page.getByRole("button", { name: "Delete job of buttoned" }).waitFor({ state: "detached" });
    });
    const emptyViewer = await server.token("viewer", "unbuttoned");
    await visit(browser, server, "/settings/buttons", { token: emptyViewer }, async (page) => {
      await page.getByText("No variable yet").waitFor();
      await page.getByText("No template yet").waitFor();
      assert.equal(await page.getByRole("button", { name: /Create/ }).count(), 0);
    });
  });

  test("link to the rendered URL from the overview and the version, and name what is missing", async () => {
    const cell = async (page) => {
      await page.getByRole("gridcell").first().click();
      return page.getByRole("dialog", { name: "buttoned in buttoned-live" });
    };
    const overview = "/?q=buttoned&environment=buttoned-live";
    await visit(browser, server, overview, { token: viewer }, async (page) => {
      const panel = await cell(page);
      await panel.getByText("All deployments").waitFor();
      await page.waitForLoadState("networkidle");
      assert.equal(await panel.getByRole("heading", { name: "Deploy", exact: true }).count(), 0, "no template");
    });
    const template = await call("POST", "/deployment-templates/", {
      name: "Run workflow",
      product_id: event.product_id,
      environment_ids: [event.environment_id],
      url_template: "https://ci.example.com/{{job}}/{{vi_environment_name}}?version={{vi_version}}",
    });
    await visit(browser, server, overview, { token: viewer, expected: [/422/] }, async (page) => {
      const panel = await cell(page);
      await panel.getByText("Missing variable: job").waitFor();
      assert.equal(await panel.getByRole("link", { name: /Run workflow/ }).count(), 0);
      await keepPicture(page, "button-missing");
      await assertAccessible(page);
    });
    const variable = await call("POST", "/variables/", { key: "job", value: "shop" });
    const href = "https://ci.example.com/shop/buttoned-live?version=1.0%2Ba";
    const assertLink = async (link) => {
      await link.waitFor();
      assert.equal(await link.getAttribute("href"), href);
      assert.equal(await link.getAttribute("target"), "_blank");
      assert.match(await link.getAttribute("rel"), /noopener/);
    };
    await visit(browser, server, overview, { token: viewer }, async (page) => {
      const panel = await cell(page);
      await assertLink(panel.getByRole("link", { name: /Run workflow/ }));
      await keepPicture(page, "button-cell");
      await assertAccessible(page);
    });
    await visit(browser, server, `/versions/${event.version_id}`, { token: viewer }, async (page) => {
      await assertLink(page.getByRole("link", { name: /Run workflow/ }));
      await page.getByRole("heading", { name: "Deploy it", exact: true }).scrollIntoViewIfNeeded();
      await assertAccessibleInEveryLook(page, "button-version");
    });
    await call("PATCH", `/deployment-templates/${template.id}`, { enabled: false });
    await visit(browser, server, `/versions/${event.version_id}`, { token: viewer }, async (page) => {
      await page.getByRole("heading", { name: "May I deploy it?" }).waitFor();
      await page.waitForLoadState("networkidle");
      assert.equal(await page.getByRole("heading", { name: "Deploy it", exact: true }).count(), 0, "it is disabled");
    });
    await call("DELETE", `/deployment-templates/${template.id}`);
    await call("DELETE", `/variables/${variable.id}`);
  });
});
