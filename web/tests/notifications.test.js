// Tests of the pages about notifications: channels, preferences and history.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import {
  AWAY,
  assertAccessible,
  assertAccessibleInEveryLook,
  keepPicture,
  submitWithoutServer,
  suite,
  visit,
  waitForFocus,
} from "./browser.js";
import { startMailServer } from "./mail-server.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const HOSTILE = `"><img src=x onerror=alert(1)> \u202e ${"x".repeat(120)}`;
const HOOK = "https://hooks.example.com/versioner";

describe("notifications", suite, () => {
  let mails, server, browser, admin, viewer;

  before(async () => {
    mails = await startMailServer();
    server = await sharedServer();
    await server.configure({
      VERSIONER_SMTP_URL: `smtp://${mails.address}?tls=none`,
      VERSIONER_MAIL_FROM: "versioner@example.com",
      VERSIONER_PUBLIC_URL: server.url,
    });
    browser = await sharedBrowser();
    [admin, viewer] = await Promise.all(["admin", "viewer"].map((role) => server.token(role)));
    await createChannel(HOSTILE);
  });

  after(async () => {
    mails?.stop();
  });

  const call = (method, path, body) => callServer(server, admin, method, path, body);

  const createChannel = (name) =>
    call("POST", "/notification-channels/", { name, channel_type: "webhook", config: { url: HOOK } });
  const channels = async () => (await call("GET", "/notification-channels/")).items;
  const preferences = async (id) => (await call("GET", `/notification-preferences/?channel_id=${id}`)).items;

  const PAGES = { "": "Channels", "/preferences": "Preferences", "/history": "Deliveries" };
  for (const [path, list] of Object.entries(PAGES)) {
    test(`${list} are accessible in every look`, () =>
      visit(browser, server, `/notifications${path}`, { token: admin }, async (page) => {
        await page.getByRole("list", { name: list, exact: true }).waitFor();
        await page.waitForLoadState("networkidle");
        await assertAccessibleInEveryLook(page, `notifications-${list}`);
        assert.equal(await page.locator("main img").count(), 0);
        const tabs = page.getByRole("navigation", { name: "Notifications" }).locator("[aria-current=page]");
        assert.deepEqual(await tabs.allInnerTexts(), [list === "Deliveries" ? "History" : list]);
      }));
  }

  test("creates a signed webhook, tests, edits, disables, enables and deletes it", () =>
    visit(browser, server, "/notifications", { token: admin }, async (page) => {
      await page.getByRole("button", { name: "Create a channel" }).click();
      const form = page.getByRole("dialog", { name: "Create a channel" });
      await form.getByLabel("Type").selectOption("webhook");
      await form.getByLabel("Name").fill("shop hook");
      await form.getByLabel("URL").fill(HOOK);
      await keepPicture(page, "notifications-create");
      await assertAccessible(page);
      await form.getByRole("button", { name: "Create", exact: true }).click();
      const shown = page.getByRole("dialog", { name: "Signing secret of shop hook" });
      const secret = await shown.getByRole("region", { name: "Signing secret" }).innerText();
      assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
      await shown.getByRole("button", { name: "I have stored it" }).click();

      await page.getByRole("button", { name: "Test shop hook", exact: true }).click();
      await page.getByText(/The test message is not delivered: .*(resolve|connection|private)/).waitFor();

      await page.getByRole("button", { name: "Edit shop hook" }).click();
      const edit = page.getByRole("dialog", { name: "Edit shop hook" });
      await edit.getByLabel("Name").fill("hook of the shop");
      await edit.getByLabel("State").selectOption("disabled");
      await edit.getByRole("button", { name: "Save" }).click();
      await edit.waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Enable hook of the shop" }).click();
      await page.getByRole("button", { name: "Enable hook of the shop" }).waitFor({ state: "detached" });
      assert.equal((await channels()).find(({ name }) => name === "hook of the shop").enabled, true);

      await page.getByRole("button", { name: "New secret for hook of the shop" }).click();
      await page.getByRole("button", { name: "Create the secret" }).click();
      assert.notEqual(await page.getByRole("region", { name: "Signing secret" }).innerText(), secret);
      await page.getByRole("button", { name: "I have stored it" }).click();

      await page.getByRole("button", { name: "Delete hook of the shop" }).click();
      const remove = page.getByRole("dialog", { name: "Delete hook of the shop" });
      await remove.getByRole("checkbox").check();
      await remove.getByRole("button", { name: "Delete", exact: true }).click();
      await remove.waitFor({ state: "detached" });
      assert.ok(!(await channels()).some(({ name }) => name === "hook of the shop"));
    }));

  test("shows the server's reason once, beside the field, and keeps what was typed", () =>
    visit(browser, server, "/notifications", { token: admin, expected: [/422/] }, async (page) => {
      await page.getByRole("button", { name: "Create a channel" }).click();
      const form = page.getByRole("dialog", { name: "Create a channel" });
      await form.getByLabel("Type").selectOption("webhook");
      await form.getByLabel("Name").fill("private");
      await form.getByLabel("URL").fill("http://10.0.0.1/hook");
      await form.getByRole("button", { name: "Create", exact: true }).click();
      const reason = /belongs to a private or special network/;
      await form.getByText(reason).waitFor();
      assert.match(await form.getByText(reason).textContent(), /^the address/, "once, without the path of the field");
      assert.equal(await form.getByRole("alert").count(), 0, "no summary repeats it");
      const url = form.getByLabel("URL");
      assert.ok(await url.evaluate((field) => field === document.activeElement), "the focus is on the field");
      assert.equal(await form.getByLabel("Name").inputValue(), "private");
      await page.route("**/notification-channels/", (route) =>
        route.fulfill({
          status: 422,
          json: { detail: [{ loc: ["body", "config"], msg: "is too large", type: "value_error" }] },
        }),
      );
      await form.getByRole("button", { name: "Create", exact: true }).click();
      await form.getByRole("alert").getByText("config: is too large").waitFor();
      await keepPicture(page, "notifications-refused");
    }));

  test("keeps the form while the server is away, says so, and recovers", () =>
    visit(browser, server, "/notifications", { token: admin, expected: AWAY }, async (page) => {
      await page.getByRole("list", { name: "Channels", exact: true }).waitFor();
      await page.getByRole("button", { name: "Create a channel" }).click();
      const form = page.getByRole("dialog");
      await form.getByLabel("Name").fill("while away");
      await form.getByLabel("URL").fill(HOOK);
      await submitWithoutServer(page, server, form, "notifications-away");
      await form.waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Edit while away" }).waitFor();
    }));

  test("sends confirmations to the recipients of an e-mail channel, shows who confirmed, and resends", () =>
    visit(browser, server, "/notifications", { token: admin }, async (page, context) => {
      await page.getByRole("button", { name: "Create a channel" }).click();
      const form = page.getByRole("dialog");
      await form.getByLabel("Type").selectOption("email");
      await form.getByLabel("Name").fill("by e-mail");
      await form.getByLabel("Recipients").fill("ada@example.com, bob@example.com");
      await form.getByRole("button", { name: "Create", exact: true }).click();
      await form.waitFor({ state: "detached" });
      const channel = page.getByRole("listitem").filter({ hasText: "by e-mail" });
      await channel.getByText("○not confirmed").waitFor();
      const recipient = (address) => channel.getByRole("listitem").filter({ hasText: address });
      await recipient("bob@example.com").getByText("not confirmed; asked").waitFor();
      const mail = await mails.to("ada@example.com");
      const confirmation = await context.newPage();
      await confirmation.goto(mail.match(/http\S+\/notification-recipients\/confirm\?token=[\w-]+/)[0]);
      await confirmation.getByRole("button", { name: "Confirm" }).click();
      await confirmation.waitForLoadState();
      await confirmation.close();
      await recipient("ada@example.com").getByText("✓ confirmed").waitFor();
      await channel.getByRole("button", { name: "Resend confirmations of by e-mail" }).click();
      await channel.getByRole("status").getByText("older than an hour").waitFor();
      await keepPicture(page, "notifications-recipients");
      await assertAccessible(page);
    }));

  test("creates, edits and deletes a preference", () =>
    visit(browser, server, "/notifications/preferences", { token: admin }, async (page) => {
      const { id } = await createChannel("for preferences");
      await page.reload();
      await page.getByRole("combobox", { name: "Channel", exact: true }).selectOption("for preferences");
      await page.getByText("This channel has no preference").waitFor();
      assert.match(page.url(), new RegExp(`channel_id=${id}`));
      await page.getByRole("button", { name: "Create a preference" }).click();
      const form = page.getByRole("dialog", { name: "Create a preference" });
      const events = form.getByLabel("Event");
      const choices = await events
        .locator("option")
        .evaluateAll((options) => options.map(({ value, text }) => [value, text]).filter(([value]) => value));
      const { components } = await (await fetch(`${server.url}/openapi.json`)).json();
      const former = /^version\.(pending|started|completed|failed|aborted)$/;
      const types = components.schemas.NotifiableEventType.enum.filter((type) => !former.test(type));
      assert.deepEqual(choices.map(([type]) => type).sort(), types.sort(), "every type of event");
      for (const [type, words] of choices) {
        assert.doesNotMatch(words, /[._]/, `${type} in words`);
      }
      await events.selectOption("deployment.completed");
      await form.getByRole("combobox", { name: "Environments" }).fill("production");
      await page.keyboard.press("Enter");
      await form.getByRole("combobox", { name: "Products" }).fill("cart-service");
      await form.getByRole("button", { name: "Add to products" }).click();
      await waitForFocus(form.getByRole("combobox", { name: "Products" }));
      await form.getByRole("button", { name: "Remove production" }).waitFor();
      await keepPicture(page, "notifications-preference");
      await assertAccessible(page);
      await form.getByRole("button", { name: "Create", exact: true }).click();
      await form.waitFor({ state: "detached" });
      const [created] = await preferences(id);
      assert.deepEqual(created.filters, { environments: ["production"], products: ["cart-service"], statuses: [] });

      await page.getByRole("button", { name: "Edit deployment completed to for preferences" }).click();
      const edit = page.getByRole("dialog", { name: "Edit the preference" });
      await edit.getByRole("button", { name: "Remove production" }).click();
      await edit.getByRole("button", { name: "Save" }).click();
      await edit.waitFor({ state: "detached" });
      assert.deepEqual((await preferences(id))[0].filters.environments, []);

      await page.getByRole("button", { name: "Delete deployment completed to for preferences" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
      await page.getByText("This channel has no preference").waitFor();
      assert.deepEqual(await preferences(id), []);
    }));

  test("offers and keeps the filters that the events of a preference have", () =>
    visit(browser, server, "/notifications/preferences", { token: admin }, async (page) => {
      const { id } = await createChannel("filtered");
      const filters = { environments: ["production"], products: [], statuses: [] };
      await call("POST", "/notification-preferences/", { channel_id: id, event_type: "dr.approved", filters });
      await page.reload();
      await page.getByRole("combobox", { name: "Channel", exact: true }).selectOption("filtered");
      const edit = page.getByRole("dialog", { name: "Edit the preference" });
      const event = edit.getByLabel("Event");
      const offered = async () => [
        await edit.getByRole("combobox", { name: "Environments" }).count(),
        await edit.getByRole("group", { name: "Only with the statuses" }).count(),
      ];
      const save = async () => {
        await edit.getByRole("button", { name: "Save" }).click();
        await edit.waitFor({ state: "detached" });
        return (await preferences(id))[0].filters;
      };
      const open = async (words) => {
        await page.getByRole("button", { name: `Edit ${words} to filtered` }).click();
        await event.waitFor();
      };

      await open("deployment request approved");
      for (const type of ["version.approved", "breakglass.used", "rule.changed", "dr.approved"]) {
        await event.selectOption(type);
        assert.deepEqual(await offered(), [1, 0], type);
      }
      await edit.getByRole("combobox", { name: "Products" }).fill("cart-service");
      await edit.getByRole("button", { name: "Add to products" }).click();
      assert.deepEqual(await save(), { ...filters, products: ["cart-service"] });

      await open("deployment request approved");
      await event.selectOption("deployment.failed");
      assert.deepEqual(await offered(), [1, 1]);
      await event.selectOption("build.failed");
      assert.deepEqual(await offered(), [0, 1]);
      const statuses = edit.getByRole("group", { name: "Only with the statuses" });
      const statusOf = {
        "deployment.pending": "pending",
        "deployment.preflight_overridden": "started",
        "build.failed": "failed",
      };
      for (const [type, status] of Object.entries(statusOf)) {
        await event.selectOption(type);
        assert.deepEqual(
          await statuses.getByRole("checkbox").evaluateAll((all) => all.map((one) => one.labels[0].textContent)),
          [status],
        );
      }
      await edit.getByRole("checkbox", { name: "failed" }).check();
      assert.deepEqual(await save(), { environments: [], products: ["cart-service"], statuses: ["failed"] });

      await open("build failed");
      await event.selectOption("build.completed");
      assert.deepEqual((await save()).statuses, []);

      await open("build completed");
      await edit.getByRole("checkbox", { name: "completed" }).check();
      await event.selectOption("deployment.preflight_failed");
      assert.deepEqual(await offered(), [1, 0]);
      await event.selectOption("rule.changed");
      assert.deepEqual(await save(), { environments: [], products: ["cart-service"], statuses: [] });
    }));

  test("does not drop saved statuses that events of the type do not have", () =>
    visit(browser, server, "/notifications/preferences", { token: admin, expected: [/422/] }, async (page) => {
      const { id } = await createChannel("never matches");
      const event = { event_type: "deployment.completed", filters: {} };
      const created = await call("POST", "/notification-preferences/", { channel_id: id, ...event });
      await page.route(`**/notification-preferences/${created.id}`, async (route) => {
        if (route.request().method() !== "GET") return route.continue();
        const response = await route.fetch();
        const preference = await response.json();
        preference.filters.statuses = ["failed"]; // as an earlier version may have saved it
        return route.fulfill({ response, json: preference });
      });
      await page.reload();
      await page.getByRole("button", { name: "Edit deployment completed to never matches" }).click();
      const edit = page.getByRole("dialog", { name: "Edit the preference" });
      await edit.getByRole("combobox", { name: "Products" }).fill("cart-service");
      await edit.getByRole("button", { name: "Add to products" }).click();
      await edit.getByRole("button", { name: "Save" }).click();
      await edit.getByText("have the status completed alone").waitFor();
      assert.deepEqual((await preferences(id))[0].filters, created.filters);
      await edit.getByRole("checkbox", { name: "completed" }).check();
      await edit.getByRole("button", { name: "Save" }).click();
      await edit.waitFor({ state: "detached" });
      const { products, statuses } = (await preferences(id))[0].filters;
      assert.deepEqual({ products, statuses }, { products: ["cart-service"], statuses: ["completed"] });
    }));

  test("leaves the focus where the user has put it when a row is removed", () =>
    visit(browser, server, "/notifications/preferences", { token: admin }, async (page) => {
      const { id } = await createChannel("focused");
      const rows = [];
      for (const event_type of ["deployment.started", "build.started", "build.failed", "rule.changed"])
        rows.push(await call("POST", "/notification-preferences/", { channel_id: id, event_type, filters: {} }));
      await page.reload();
      await page.getByRole("combobox", { name: "Channel", exact: true }).selectOption("focused");
      const edit = (words) => page.getByRole("button", { name: `Edit ${words} to focused` });
      const remove = async (position, words) => {
        await call("DELETE", `/notification-preferences/${rows[position].id}`);
        await edit(words).waitFor({ state: "detached" });
      };
      const focused = () => page.evaluate(() => document.activeElement.tagName);
      /** Clicks beside the main part of the page, which takes the focus. */
      const leave = async () => {
        await page.mouse.click(2, 500);
        assert.equal(await focused(), "BODY");
      };

      await edit("deployment started").focus();
      await leave();
      await remove(0, "deployment started");
      assert.equal(await focused(), "BODY", "after a click on the page");

      await edit("build started").focus();
      await page.getByRole("combobox", { name: "Channel", exact: true }).focus();
      await remove(1, "build started");
      assert.equal(await focused(), "SELECT");
      await leave();
      await remove(2, "build failed");
      assert.equal(await focused(), "BODY", "after another control had the focus");
    }));

  test("filters the history and redelivers", () =>
    visit(browser, server, "/notifications/history", { token: admin }, async (page) => {
      const list = page.getByRole("list", { name: "Deliveries" });
      await list.waitFor();
      const { id } = await createChannel("for history");
      const { delivery_id } = await call("POST", `/notification-channels/${id}/test`);
      await page.reload();
      await page.getByLabel("Channel").selectOption("for history");
      await list.getByRole("listitem").nth(1).waitFor({ state: "detached" });
      await list.getByText("Reason:").waitFor();
      const again = page.waitForResponse((answer) => answer.url().endsWith(`/${delivery_id}/redeliver`));
      await list.getByRole("button", { name: /^Redeliver/ }).click();
      assert.equal((await again).status(), 202);
      await page.getByLabel("Result").selectOption("delivered");
      await page.getByText("No delivery matches the filters").waitFor();
      await page.getByRole("button", { name: "Clear" }).click();
      await page.waitForURL(/history$/);
    }));

  test("shows viewers no actions", async () => {
    for (const [path, list] of Object.entries(PAGES)) {
      await visit(browser, server, `/notifications${path}`, { token: viewer }, async (page) => {
        await page.getByText("Your role may not change, test or redeliver notifications").waitFor();
        await page.getByRole("list", { name: list, exact: true }).waitFor();
        const actions = page
          .locator("main")
          .getByRole("button", { name: /^(Create|Test|Edit|Delete|New|Redeliver|Resend)/ });
        assert.equal(await actions.count(), 0);
      });
    }
  });
});
