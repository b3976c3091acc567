// Tests of the page of request templates.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { assertAccessible, assertAccessibleInEveryLook, keepPicture, suite, visit, waitForFocus } from "./browser.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const hostile = '<i onmouseover="alert(1)">\u202e"\'';
const path = "/deployment-requests/templates";

describe("request templates", suite, () => {
  let server, browser, admin, manager, developer, viewer, environment, passing;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    [admin, manager, developer, viewer] = await Promise.all(
      ["admin", "release_manager", "developer", "viewer"].map((role) => server.token(role)),
    );
    [environment, passing] = await Promise.all(
      ["template-prod", "template-passing"].map(async (name) => (await call("POST", "/environments/", { name })).id),
    );
  });

  const call = (method, address, body, token = admin) => callServer(server, token, method, address, body);
  const row = (page, text) => page.getByRole("listitem").filter({ hasText: text });
  const dialog = (page) => page.getByRole("dialog");
  const send = async (page, name) => {
    await dialog(page).getByRole("button", { name, exact: true }).click();
    await dialog(page).waitFor({ state: "detached" });
  };
  const newTemplate = (name, members = {}) =>
    call("POST", "/deployment-request-templates/", { name, approvals: [{ approval_type: "qa" }], ...members });
  const templateOf = async (name) =>
    (await call("GET", "/deployment-request-templates/?limit=200")).items.find((one) => one.name === name);

  test("says what a template is for while there is none, and what fails", () =>
    visit(browser, server, "/deployment-requests", { token: manager, expected: [/500/] }, async (page) => {
      let answer = { status: 500, json: { detail: "Internal error" } };
      await page.route(/deployment-request-templates\/\?/, (route) => route.fulfill(answer));
      await page.getByRole("link", { name: "Templates", exact: true }).click();
      await page.getByRole("heading", { name: "This could not be loaded" }).waitFor();
      answer = { json: { items: [], next_cursor: null } };
      await page.getByRole("button", { name: "Try again" }).click();
      await page.getByRole("heading", { name: "No request template yet" }).waitFor();
      await keepPicture(page, "request-templates-empty");
      await page.getByRole("link", { name: "Deployment requests" }).first().click();
      await page.waitForURL(/deployment-requests$/);
    }));

  test("are created, changed with what another user has saved, and deleted", async () => {
    const name = `Production ${hostile}`;
    await newTemplate("Taken");
    await visit(browser, server, path, { token: manager, expected: [/409|412|422/] }, async (page) => {
      await page.getByRole("button", { name: "New template" }).click();
      await dialog(page).getByLabel("Name").fill("TAKEN");
      await dialog(page).getByRole("button", { name: "Create", exact: true }).click();
      await dialog(page).getByRole("alert").waitFor();
      await dialog(page).getByLabel("Name").fill(name);
      await dialog(page).getByLabel("Description of the requests").fill("What production needs");
      for (const environment of ["template-prod", "template-passing"]) {
        await dialog(page).getByLabel("Environments", { exact: true }).first().fill(environment);
        await page.keyboard.press("Enter");
      }
      const required = dialog(page).getByRole("group", { name: "Required approvals" });
      await required.getByLabel("QA").check();
      await dialog(page).getByRole("group", { name: "Optional approvals" }).getByLabel("Security").check();
      for (const [position, title] of ["Announce it", " ", "Warm the cache"].entries()) {
        await dialog(page).getByRole("button", { name: "Add a step" }).click();
        await dialog(page).getByLabel("What to do").nth(position).fill(title);
      }
      await dialog(page).getByRole("button", { name: "Create", exact: true }).click();
      const blank = dialog(page).getByRole("group", { name: "Step 2" });
      await blank.getByText("at least 1 character").waitFor();
      await dialog(page).getByRole("button", { name: "Move up step 3" }).click();
      await dialog(page).getByRole("group", { name: "Step 3" }).getByText("at least 1 character").waitFor();
      await waitForFocus(dialog(page).getByRole("button", { name: "Move up step 2" }));
      await dialog(page).getByRole("button", { name: "Move up step 2" }).click();
      await waitForFocus(dialog(page).getByRole("group", { name: "Step 1" }).getByLabel("What to do"));
      await dialog(page).getByRole("button", { name: "Move up step 2" }).click();
      await dialog(page).getByRole("button", { name: "Remove step 3" }).click();
      const add = dialog(page).getByRole("button", { name: "Add a step" });
      await waitForFocus(add);
      await add.click();
      await dialog(page).getByRole("button", { name: "Move up step 3" }).click();
      await dialog(page).getByRole("button", { name: "Remove step 2" }).click();
      const second = dialog(page).getByRole("group", { name: "Step 2" }).getByLabel("What to do");
      await waitForFocus(second);
      assert.equal(await second.inputValue(), "Warm the cache");
      await page.route("**/deployment-request-templates/", (route) =>
        route.fulfill({
          status: 422,
          json: { detail: [{ loc: ["body", "steps"], msg: "are too many", type: "value_error" }] },
        }),
      );
      await dialog(page).getByRole("button", { name: "Create", exact: true }).click();
      await dialog(page).getByText("are too many").waitFor();
      await waitForFocus(add);
      const describedBy = await add.evaluate((button) => button.getAttribute("aria-describedby"));
      assert.equal(await page.locator(`[id="${describedBy}"]`).textContent(), "are too many");
      await page.unroute("**/deployment-request-templates/");
      await assertAccessibleInEveryLook(page, "request-template-form");
      await send(page, "Create");
      const template = row(page, "Production <i onmouseover");
      await template.getByText("To template-passing, template-prod").waitFor();
      await template.getByText("Required approvals QA").waitFor();
      await template.getByText("Optional approvals Security").waitFor();
      await template.getByText("2 steps before the deployments").waitFor();
      assert.deepEqual(
        (await templateOf(name)).steps.map(({ title }) => title),
        ["Announce it", "Warm the cache"],
      );
      await call("DELETE", `/environments/${passing}`);
      await page.reload();
      await template.getByText("To template-prod, 1 deleted environment").waitFor();

      await page.getByRole("button", { name: "Edit Production" }).click();
      await required.getByLabel("Compliance").check();
      const { id } = await templateOf(name);
      await call("PATCH", `/deployment-request-templates/${id}`, {
        description: "Saved before",
        steps: [],
        approvals: [
          { approval_type: "qa" },
          { approval_type: "compliance", required: false },
          { approval_type: "performance", required: false },
        ],
      });
      await dialog(page).getByRole("button", { name: "Save", exact: true }).click();
      await dialog(page).getByText("Another user has saved a change").waitFor();
      await dialog(page).getByText("Before the deployments: Announce it").waitFor();
      await keepPicture(page, "request-template-conflict");
      await assertAccessible(page);
      await send(page, "Save my changes over it");
      await template.getByText("Required approvals QA, Compliance").waitFor();
      const { description, steps, approvals } = await templateOf(name);
      assert.deepEqual({ description, steps: steps.length }, { description: "Saved before", steps: 0 });
      assert.deepEqual(
        approvals.filter(({ required }) => !required).map((slot) => slot.approval_type),
        ["performance"],
      );

      await page.getByRole("button", { name: "Edit Production" }).click();
      await dialog(page).getByRole("group", { name: "Optional approvals" }).getByLabel("Security").check();
      await call("PATCH", `/deployment-request-templates/${id}`, {
        approvals: ["qa", "compliance", "performance"].map((approval_type) => ({ approval_type })),
      });
      await dialog(page).getByRole("button", { name: "Save", exact: true }).click();
      await dialog(page).getByText("Another user has saved a change").waitFor();
      await send(page, "Save my changes over it");
      await template.getByText("Optional approvals Security").waitFor();
      assert.deepEqual(
        (await templateOf(name)).approvals.map(({ approval_type, required }) => [approval_type, required]).sort(),
        [
          ["compliance", true],
          ["performance", true],
          ["qa", true],
          ["security", false],
        ],
      );

      await page.getByRole("button", { name: "Delete Production" }).click();
      await dialog(page).getByText("The requests that were copied from it stay.").waitFor();
      await call("PATCH", `/deployment-request-templates/${id}`, { description: "Saved again" });
      await dialog(page).getByRole("button", { name: "Delete", exact: true }).click();
      await dialog(page).getByText("Another user has changed this. It has not been deleted").waitFor();
      await keepPicture(page, "request-template-deleted");
      await send(page, "Delete");
      await template.waitFor({ state: "detached" });
    });
  });

  test("new requests are copied from a template", async () => {
    await newTemplate("Copied", {
      description: "As every week",
      environment_ids: [environment],
      steps: [{ phase: "post", title: "Watch the errors", description: "For an hour" }],
      gate: false,
    });
    await visit(browser, server, path, { token: developer }, async (page) => {
      await page.getByText("Your role may not create, change or delete request templates").waitFor();
      assert.equal(await page.getByRole("button", { name: /^(New template|Edit|Delete)/ }).count(), 0);
      await page.getByRole("button", { name: "New request from Copied" }).click();
      await dialog(page).getByText("From the template Copied.").waitFor();
      assert.equal(await dialog(page).getByLabel("Description").inputValue(), "As every week");
      assert.equal(await dialog(page).getByLabel("Block the versions").isChecked(), false);
      await keepPicture(page, "request-from-template");
      await dialog(page).getByLabel("Name").fill("From this template");
      await dialog(page).getByRole("button", { name: "Create", exact: true }).click();
      await page.getByRole("heading", { level: 1, name: "From this template" }).waitFor();
      await row(page, "Watch the errors").getByText("For an hour").waitFor();
      await page.getByRole("link", { name: "template-prod" }).waitFor();
      await page.getByText("Required approvals that are open: QA").waitFor();
      await page.goBack();
      await page.getByRole("button", { name: "New request from Taken" }).click();
      await dialog(page).getByLabel("Name").fill("Without an environment");
      await dialog(page).getByRole("button", { name: "Create", exact: true }).click();
      await page.getByText("It has no environment: add one to activate it.").waitFor();
    });
  });

  test("count their environments while the names are not known", () =>
    visit(browser, server, "/start", { token: viewer, expected: [/500/] }, async (page) => {
      await page.route(/\/environments\/\?/, (route) =>
        route.fulfill({ status: 500, json: { detail: "Internal error" } }),
      );
      await page.goto(`${server.url}/app${path}`);
      await row(page, "Copied").getByText("To 1 environment").waitFor();
    }));

  test("a viewer has no actions, and reads why", () =>
    visit(browser, server, path, { token: viewer }, async (page) => {
      await row(page, "Copied").waitFor();
      await page.getByText("delete request templates, or create requests from them: ask an administrator").waitFor();
      await row(page, "Copied").getByText("1 step after the deployments").waitFor();
      assert.equal(await page.getByRole("button", { name: /^(New|Edit|Delete)/ }).count(), 0);
      await assertAccessibleInEveryLook(page, "request-templates");
    }));
});
