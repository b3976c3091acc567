// Tests of the pages of the settings: API keys, users and roles, the audit log and the sessions.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import {
  AWAY,
  assertAccessible,
  assertAccessibleInEveryLook,
  keepPicture,
  phone,
  submitWithoutServer,
  suite,
  visit,
} from "./browser.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const HOSTILE = `"><img src=x onerror=alert(1)> \u202e ${"x".repeat(120)}`;

describe("settings", suite, () => {
  let server, browser, admin, developer, viewer;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    [admin, developer, viewer] = await Promise.all(["admin", "developer", "viewer"].map((role) => server.token(role)));
    await call("POST", "/api-keys/", { name: HOSTILE, description: HOSTILE });
    await call("DELETE", "/auth/sessions/"); // those of the suites before
  });

  const call = (method, path, body, token = admin) => callServer(server, token, method, path, body);

  const PAGES = { keys: "API keys", users: "Users and roles", audit: "Audit log", sessions: "Sessions" };
  for (const [path, title] of Object.entries(PAGES)) {
    test(`${path} is accessible in every look`, () =>
      visit(browser, server, `/settings/${path}`, { token: admin }, async (page) => {
        await page.getByRole("heading", { level: 1, name: title }).waitFor();
        await page.waitForLoadState("networkidle");
        await assertAccessibleInEveryLook(page, `settings-${path}`);
      }));
  }

  const row = (page, name) => page.getByRole("listitem").filter({ hasText: name });

  test("creates a key, which is shown once and works, edits, rotates and revokes it", () =>
    visit(browser, server, "/settings/keys", { token: admin }, async (page) => {
      await page.getByRole("button", { name: "Create a key" }).click();
      const form = page.getByRole("dialog", { name: "Create an API key" });
      await form.getByRole("button", { name: "Create", exact: true }).click();
      await form.getByText("This field is required.").waitFor();
      assert.ok(await form.getByLabel("Name").evaluate((field) => field === document.activeElement));
      await form.getByLabel("Name").fill("shop pipeline");
      await form.getByLabel("Description").fill("Deploys the shop");
      await form.getByLabel("Lifetime").selectOption("90 days");
      assert.ok(await form.getByLabel("Report events").isChecked());
      assert.ok(!(await form.getByLabel("Skip deployment rules").isChecked()));
      await form.getByLabel("Report events").uncheck();
      await form.getByRole("button", { name: "Create", exact: true }).click();
      await form.getByText("This field is required.").waitFor();
      await form.getByLabel("Report events").check();
      await form.getByLabel("Ask whether a deployment may start").check();
      await page.keyboard.press("Escape");
      await form.getByRole("button", { name: "Keep editing" }).click();
      await form.getByRole("button", { name: "Create", exact: true }).click();
      const shown = page.getByRole("dialog", { name: "The key shop pipeline" });
      const key = await shown.getByRole("region", { name: "API key" }).innerText();
      assert.match(key, /^sk_demo_/);
      const event = { product_name: "shop", version: "1", environment_name: "prod", status: "completed" };
      await call("POST", "/deployment-events/", event, key);
      const question = { product_name: "shop", version: "1", environment_name: "prod" };
      assert.ok((await call("POST", "/preflight/", question, key)).would_allow);
      await page.keyboard.press("Escape");
      assert.ok(await shown.isVisible(), "a key is not lost to Esc");
      await keepPicture(page, "settings-key-created");
      for (const [system, text] of [
        ["GitHub Actions", "secrets.VERSIONER_API_KEY"],
        ["GitLab CI", "after_script"],
        ["Jenkins", "withCredentials"],
        ["CircleCI", "BASH_ENV"],
        ["Bitbucket Pipelines", "BITBUCKET_COMMIT"],
        ["Azure DevOps", "vmImage"],
        ["Buildkite", "buildkite-agent secret get"],
        ["Plain shell", key],
      ]) {
        await shown.getByLabel("CI system").selectOption(system);
        await shown.locator("pre").filter({ hasText: text }).last().waitFor();
      }
      await shown.getByRole("button", { name: "I have stored it" }).click();
      assert.ok(!(await page.content()).includes(key), "the key is not shown again");

      await row(page, "shop pipeline").getByText("report events, ask whether a deployment may start").waitFor();
      await row(page, "shop pipeline").getByRole("button", { name: "Edit" }).click();
      const edit = page.getByRole("dialog", { name: "Edit shop pipeline" });
      await edit.getByLabel("Name").fill("shop");
      await edit.getByRole("button", { name: "Save" }).click();
      await edit.waitFor({ state: "detached" });

      await page.getByRole("button", { name: "Rotate shop", exact: true }).click();
      const rotate = page.getByRole("dialog", { name: "Rotate shop" });
      await rotate.getByLabel("The old key works for").selectOption("1");
      await rotate.getByRole("button", { name: "Create the new key" }).click();
      await page.getByRole("button", { name: "I have stored it" }).click();
      await page.getByText("active, expires").first().waitFor();

      await page.getByRole("button", { name: "Revoke shop", exact: true }).first().click();
      const revoke = page.getByRole("dialog", { name: "Revoke shop" });
      const confirm = revoke.getByRole("button", { name: "Revoke", exact: true });
      assert.ok(await confirm.isDisabled(), "the user agrees first");
      await revoke.getByRole("checkbox").check();
      await keepPicture(page, "settings-key-revoke");
      await confirm.click();
      await revoke.waitFor({ state: "detached" });
      await page.getByLabel("State").selectOption("revoked");
      await row(page, "Deploys the shop").getByText("⊘revoked").waitFor();
      assert.match(page.url(), /state=revoked/);
    }));

  test("shows both versions when another user has changed the key", () =>
    visit(browser, server, "/settings/keys", { token: admin, expected: [/412/, /Precondition/] }, async (page) => {
      const { id } = await call("POST", "/api-keys/", { name: "shared", description: "first" });
      await page.getByRole("button", { name: "Edit shared" }).click();
      const form = page.getByRole("dialog", { name: "Edit shared" });
      await form.getByLabel("Description").fill("mine");
      await call("PATCH", `/api-keys/${id}`, { description: "theirs" });
      await form.getByRole("button", { name: "Save" }).click();
      const conflict = form.getByRole("alert", { name: "Changed by another user" });
      await conflict.getByText("theirs").waitFor();
      await conflict.getByText("mine", { exact: true }).waitFor();
      await keepPicture(page, "settings-conflict");
      await assertAccessible(page);
      await conflict.getByRole("button", { name: "Save my changes over it" }).click();
      await form.waitFor({ state: "detached" });
      assert.equal((await call("GET", `/api-keys/${id}`)).description, "mine");
    }));

  test("keeps what was typed when the session ends, and when the server refuses it", () => {
    const expected = [/401/, /422/, /403/];
    return visit(browser, server, "/settings/keys", { token: admin, expected }, async (page, context) => {
      await page.getByRole("button", { name: "Create a key" }).click();
      const form = page.getByRole("dialog", { name: "Create an API key" });
      await form.getByLabel("Name").fill("typed name");
      const refuse = (route) =>
        route.fulfill({ status: 401, contentType: "application/json", body: '{"detail":"the session has ended"}' });
      await context.route("**/api-keys/", refuse);
      await form.getByRole("button", { name: "Create", exact: true }).click();
      const signIn = page.getByRole("dialog", { name: /sign in|session has ended/i });
      await signIn.waitFor();
      await context.unroute("**/api-keys/", refuse);
      await signIn.getByRole("button", { name: "Close" }).click();
      assert.equal(await form.getByLabel("Name").inputValue(), "typed name");
      await form.getByRole("button", { name: "Create", exact: true }).click();
      await page.getByRole("dialog", { name: "The key typed name" }).waitFor();
    });
  });

  test("keeps the form while the server is away, says so, and recovers", () =>
    visit(browser, server, "/settings/keys", { token: admin, expected: AWAY }, async (page) => {
      await page.getByRole("list", { name: "API keys", exact: true }).waitFor();
      await page.getByRole("button", { name: "Create a key" }).click();
      const form = page.getByRole("dialog");
      await form.getByLabel("Name").fill("while away");
      await submitWithoutServer(page, server, form, "settings-away");
      await page.getByRole("dialog", { name: "The key while away" }).waitFor();
    }));

  test("shows names as text", () =>
    visit(browser, server, "/settings/keys", { token: admin, viewport: phone }, async (page) => {
      await page.getByText('"><img src=x').first().waitFor();
      assert.equal(await page.locator("main img").count(), 0);
      await assertAccessible(page);
      await keepPicture(page, "settings-keys-hostile");
    }));

  test("shows developers the keys without actions, and viewers why there are none", async () => {
    await visit(browser, server, "/settings/keys", { token: developer }, async (page) => {
      await page.getByText("Your role may not create, change or revoke API keys").waitFor();
      await page.getByRole("list", { name: "API keys" }).waitFor();
      assert.equal(await page.getByRole("button", { name: /Create|Edit|Rotate|Revoke/ }).count(), 0);
    });
    await visit(browser, server, "/settings/keys", { token: viewer }, async (page) => {
      await page.getByText("Your role may not view API keys").waitFor();
      assert.equal(await page.getByRole("link", { name: "API keys" }).count(), 0);
    });
    await visit(browser, server, "/settings/audit", { token: viewer }, async (page) => {
      await page.getByText("Your role may not view the audit log").waitFor();
    });
    await visit(browser, server, "/settings/users", { token: viewer }, async (page) => {
      await page.getByText("Your role may not change roles").waitFor();
      await page.getByRole("list", { name: "Users" }).waitFor();
      assert.equal(await page.getByRole("button", { name: /Change role/ }).count(), 0);
    });
  });

  test("assigns a role, and explains why not to oneself", () =>
    visit(browser, server, "/settings/users", { token: admin }, async (page) => {
      await page.getByText("You cannot change your own role").waitFor();
      await page
        .getByRole("button", { name: /Change role/ })
        .first()
        .click();
      const form = page.getByRole("dialog", { name: /^Role of/ });
      await form.getByLabel("Role").selectOption("release_manager");
      await keepPicture(page, "settings-role");
      await form.getByRole("button", { name: "Save" }).click();
      await form.waitFor({ state: "detached" });
      await page.getByText("Role assigned here").first().waitFor();
      const { items } = await call("GET", "/audit-log/?action=user.assign_role");
      assert.equal(items.length, 1);
    }));

  test("names the object of a change, and its values before and after", async () => {
    const { id } = await call("POST", "/api-keys/", { name: "audited", description: "first" });
    await call("PATCH", `/api-keys/${id}`, { description: "second" });
    await visit(browser, server, `/settings/audit?object_id=${id}`, { token: admin }, async (page) => {
      const changed = row(page, "changed the API key audited");
      await changed.waitFor();
      const values = changed.locator("dl").first();
      assert.equal((await values.textContent()).trim(), "descriptionfirst→second");
      await row(page, "created the API key audited").getByText("first").waitFor();
      await keepPicture(page, "settings-audit-values");
      await assertAccessible(page);
    });
    const window = { effect: "deny", name: "Audited freeze", start: "2031-12-18T18:00", end: "2032-01-04T06:00" };
    const schedule = { timezone: "UTC", windows: [window] };
    const rule = await call("POST", "/deployment-rules/", {
      name: "Audited rule",
      rule_type: "schedule",
      mode: "disabled",
      scope: { products: ["audited-one", "audited-two"] },
      schedule,
    });
    const windows = Array.from({ length: 40 }, (_, number) => ({ ...window, name: `Audited freeze ${number}` }));
    for (const body of [
      { schedule: { ...schedule, windows: [{ ...window, end: "2032-01-05T06:00" }] } },
      { schedule: { ...schedule, windows } },
    ]) {
      await call("PATCH", `/deployment-rules/${rule.id}`, body);
    }
    await visit(browser, server, `/settings/audit?object_id=${rule.id}`, { token: admin }, async (page) => {
      const entries = row(page, /the deployment rule\s*Audited rule/);
      await entries.nth(2).waitFor();
      assert.equal(await page.getByText('{"').count(), 0, "no value is raw JSON, neither is one that is cut");
      await entries.nth(2).getByText("products: audited-one, audited-two").waitFor();
      const [before, after] = [entries.nth(1).locator("del"), entries.nth(1).locator("ins")];
      assert.match(await before.innerText(), /\bend: 2032-01-04T06:00\n/);
      assert.match(await after.innerText(), /\bend: 2032-01-05T06:00\n/);
      assert.match(await before.locator(".bg-bad-soft").innerText(), /^−\s*removed:\s*end: 2032-01-04T06:00$/);
      assert.match(await after.locator(".bg-good-soft").innerText(), /^\+\s*added:\s*end: 2032-01-05T06:00$/);
      const cut = entries.nth(0);
      await cut.getByText("(cut)").waitFor();
      assert.equal(await cut.getByText("name: Audited freeze 7").count(), 0);
      await cut.getByRole("button", { name: /^Show all/ }).click();
      await cut.getByText("name: Audited freeze 7").waitFor();
      await assertAccessibleInEveryLook(page, "settings-audit-rule");
    });
    await call("DELETE", `/deployment-rules/${rule.id}`);
    const template = await call("POST", "/deployment-request-templates/", { name: "Audited" });
    await call("DELETE", `/deployment-request-templates/${template.id}`);
    await visit(browser, server, `/settings/audit?object_id=${template.id}`, { token: admin }, async (page) => {
      await row(page, "created the deployment request template Audited").waitFor();
      await row(page, "deleted the deployment request template").getByRole("link", { name: "Audited" }).click();
      await page.waitForURL(/deployment-requests\/templates$/);
    });
  });

  test("filters the audit log by action, user and object, in the address", () =>
    visit(browser, server, "/settings/audit", { token: admin }, async (page) => {
      await page.getByLabel("Action").selectOption("api_key.create");
      await page.getByRole("link", { name: "All changes of this API key" }).first().click();
      await page.waitForURL(/object_id=/);
      assert.doesNotMatch(page.url(), /action=/);
      await page.locator("main .opacity-60").waitFor({ state: "detached" }); // the rows of the filter before
      const created = row(page, "created the API key").last();
      await created.getByText("Details").click();
      await created.getByText("api_key.create").waitFor();
      await page.getByRole("button", { name: "Clear" }).click();
      await page.waitForURL(/audit$/);
    }));

  test("says that a session token is no session", () =>
    visit(browser, server, "/settings/sessions", { token: admin }, async (page) => {
      await page.getByText("You are signed in with a token").waitFor();
      assert.equal(await page.getByRole("button", { name: "Sign out everywhere" }).count(), 0);
    }));

  test("lists the sessions of a browser, ends another one, and all", () =>
    visit(browser, server, "/sign-in", { expected: [/401/] }, async (page, context) => {
      const signIn = () => page.getByRole("button", { name: "Continue as admin of demo" }).click();
      const list = page.getByRole("list", { name: "Sessions" });
      await signIn();
      await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
      await context.clearCookies();
      await page.goto(`${server.url}/app/sign-in`);
      await signIn();
      await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
      await page.goto(`${server.url}/app/settings/sessions`);
      await list.getByText("this session").waitFor();
      await keepPicture(page, "settings-sessions-signed-in");
      await assertAccessible(page);
      await list.getByRole("button", { name: /^End/ }).click();
      await list.getByRole("button", { name: /^End/ }).waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Sign out everywhere" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Sign out everywhere" }).click();
      await page.getByRole("dialog", { name: /session has ended|sign in/i }).waitFor();
      await page.waitForLoadState("networkidle");
      const { status } = await context.request
        .get(`${server.url}/auth/session`)
        .then((answer) => ({ status: answer.status() }));
      assert.equal(status, 401);
    }));
});
