// Tests of the pages of deployment rules: the list, the form, the preview of windows, and what a rule would have blocked.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { assertAccessible, assertAccessibleInEveryLook, keepPicture, suite, visit, waitForFocus } from "./browser.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const HOSTILE = '<i onmouseover="alert(1)">\u202e"\'';

describe("deployment rules", suite, () => {
  let server, browser, admin, sre, viewer;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    [admin, sre, viewer] = await Promise.all(["admin", "sre", "viewer"].map((role) => server.token(role)));
    for (const environment_name of ["ruled-staging", "ruled-live"]) {
      const event = { product_name: "ruled", version: "1", environment_name, status: "completed" };
      await call("POST", "/deployment-events/", event, server.key);
    }
  });

  const call = (method, path, body, token = admin) => callServer(server, token, method, path, body);
  const row = (page, text) => page.getByRole("listitem").filter({ hasText: text });
  const ruleNamed = async (name) =>
    (await call("GET", "/deployment-rules/?limit=200")).items.find((rule) => rule.name === name);
  const submit = (form, name) => form.getByRole("button", { name, exact: true }).click();

  test("creates a schedule as a draft, shows problems beside their fields, and previews its windows", async () => {
    const start = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    const name = `Evenings ${HOSTILE}`;
    await visit(browser, server, "/rules", { token: sre, expected: [/422/] }, async (page) => {
      await page.getByRole("button", { name: "New rule" }).click();
      const form = page.getByRole("dialog", { name: "New rule" });
      assert.deepEqual(await form.getByLabel("Type", { exact: true }).locator("option").allInnerTexts(), [
        "Schedule",
        "Flow",
        "Concurrency",
        "Version approval",
      ]);
      await submit(form, "Create");
      assert.equal(await form.getByText("This field is required.").count(), 2, "a name and a window");
      await form.getByLabel("Name", { exact: true }).fill(name);
      await form.getByLabel("Time zone").fill("Europe/Berlin");
      await form.getByLabel("Products", { exact: true }).fill("ruled");
      await form.getByLabel("Products", { exact: true }).press("Enter");
      await form.getByLabel("Priority").fill("many");

      await form.getByRole("button", { name: "Add a window" }).click();
      const first = form.getByRole("group", { name: "Window 1" });
      assert.ok(await first.getByLabel("Name of the window").evaluate((field) => field === document.activeElement));
      await first.getByLabel("Start").fill(`${start}T18:00`);
      await first.getByLabel("End").fill(`${start}T17:00`);
      await first.getByLabel("Repeats").selectOption("DAILY");
      await first.getByLabel("Every how many days").fill("0");
      await first.getByLabel("Except on").fill("2030-01-01, tomorrow");
      await form.getByRole("button", { name: "Add a window" }).click();
      await form.getByRole("group", { name: "Window 2" }).getByLabel("Name of the window").fill("removed");
      const second = form.getByRole("group", { name: "removed" });
      await submit(form, "Create");
      await form.getByText("Write a whole number.").waitFor();
      await form.getByLabel("Priority").fill("1001");
      await submit(form, "Create");
      await first.getByText("must be after start").waitFor();
      assert.equal(await first.locator("[aria-invalid=true]").count(), 4, "name, end, rrule and exdates");
      assert.equal(await second.locator("[aria-invalid=true]").count(), 2, "start and end");
      await form.getByText("at most 1000").waitFor();
      assert.equal(await form.getByRole("alert").count(), 0, "each reason is beside its field");
      await keepPicture(page, "rule-refused");
      await assertAccessible(page);

      // Problems stay with their window when another one goes.
      await second.getByRole("button", { name: "Remove removed" }).press("Enter");
      await first.getByText("must be after start").waitFor();
      const add = form.getByRole("button", { name: "Add a window" });
      await waitForFocus(add);
      await add.press("Enter");
      await add.press("Enter");
      await form.getByRole("group", { name: "Window 3" }).waitFor();
      await second.waitFor({ state: "detached" });
      await form.getByRole("button", { name: "Remove Window 2" }).press("Enter");
      await waitForFocus(form.getByRole("group", { name: "Window 2" }).getByLabel("Name of the window"));
      await form.getByRole("button", { name: "Remove Window 2" }).press("Enter");
      await waitForFocus(add);
      await form.getByLabel("Priority").fill("10");
      await first.getByLabel("Name of the window").fill("evening");
      const window = form.getByRole("group", { name: "evening" });
      await window.getByLabel("End").fill(`${start}T20:00`);
      await window.getByLabel("Every how many days").fill("2");
      await window.getByLabel("Except on").fill("2030-01-01");
      await window.getByLabel("Reason").fill("Support is away");
      await submit(form, "Create");
      await page.waitForURL(/\/rules\/[0-9a-f-]{36}$/);
      await page.getByRole("heading", { level: 1, name: "Evenings" }).waitFor();
      await page.getByText("every 2 days, except on 2030-01-01").waitFor();
      const next = page.getByRole("list", { name: "Next windows" }).getByRole("listitem");
      await next
        .first()
        .getByText(/, (6:00|18:00)/)
        .waitFor(); // of Berlin, whatever the zone of the browser
      assert.equal(await next.count(), 20);
      await page.getByText("Times of Europe/Berlin").waitFor();
      await assertAccessibleInEveryLook(page, "rule");
    });
    const rule = await ruleNamed(name);
    assert.deepEqual([rule.mode, rule.priority, rule.scope.products], ["disabled", 10, ["ruled"]]);
    assert.deepEqual(rule.schedule.windows, [
      {
        name: "evening",
        effect: "deny",
        start: `${start}T18:00`,
        end: `${start}T20:00`,
        rrule: "FREQ=DAILY;INTERVAL=2",
        exdates: ["2030-01-01"],
        reason: "Support is away",
      },
    ]);
  });

  test("has a plain form for recurrences, and an RRULE for others", async () => {
    const window = { effect: "deny", end: "2030-01-09T10:00", start: "2030-01-08T22:00" }; // the second Tuesday
    const rules = [null, "FREQ=WEEKLY;BYDAY=TU,FR;UNTIL=20301231", "FREQ=MONTHLY;BYDAY=2TU", "FREQ=YEARLY;BYMONTH=1"];
    const windows = rules.map((rrule, index) => ({ ...window, name: `window-${index}`, rrule }));
    const { id } = await call("POST", "/deployment-rules/", {
      name: "Recurring",
      rule_type: "schedule",
      mode: "disabled",
      scope: { products: ["ruled"] },
      schedule: { timezone: "UTC", windows },
    });
    await visit(browser, server, `/rules/${id}`, { token: admin }, async (page) => {
      await row(page, "window-1").getByText("every week on Tue, Fri until 2030-12-31").waitFor();
      await row(page, "window-2").getByText("every month on the second Tue").waitFor();
      await row(page, "window-3").getByText("FREQ=YEARLY;BYMONTH=1").waitFor();
      await page.getByRole("heading", { name: "No window in the next 8 weeks" }).waitFor();
      await page.getByRole("button", { name: "Edit" }).click();
      const form = page.getByRole("dialog", { name: "Edit Recurring" });
      await form.getByRole("region", { name: "Preview" }).waitFor();
      const opened = async (name) => {
        await form.getByRole("group", { name }).getByRole("button", { expanded: false }).click();
        return form.getByRole("group", { name });
      };
      const weekly = await opened("window-1");
      assert.equal(await weekly.getByLabel("Tue").isChecked(), true);
      await weekly.getByLabel("Wed").check();
      await weekly.getByLabel("Until").fill("");
      const monthly = await opened("window-2");
      await monthly.getByLabel("Each month").selectOption({ label: "on day 8" });
      const other = await opened("window-3");
      assert.equal(await other.getByLabel("RRULE").inputValue(), "FREQ=YEARLY;BYMONTH=1");
      await other.getByLabel("Repeats").selectOption("Yearly");
      await keepPicture(page, "rule-form");
      await assertAccessible(page);
      await submit(form, "Save");
      await form.waitFor({ state: "detached" });
      await row(page, "window-1").getByText("every week on Tue, Wed, Fri").waitFor();
    });
    const { schedule } = await call("GET", `/deployment-rules/${id}`);
    assert.deepEqual(
      schedule.windows.map(({ rrule }) => rrule),
      [null, "FREQ=WEEKLY;BYDAY=TU,WE,FR", "FREQ=MONTHLY;BYMONTHDAY=8", "FREQ=YEARLY"],
    );
  });

  test("creates rules of the other types, and changes them", async () => {
    const create = (page) => page.getByRole("dialog", { name: "New rule" });
    const open = async (page, type, name) => {
      await page.goto(`${server.url}/app/rules`);
      await page.getByRole("button", { name: "New rule" }).click();
      await create(page).getByLabel("Type", { exact: true }).selectOption(type);
      await create(page).getByLabel("Name", { exact: true }).fill(name);
      await create(page).getByLabel("Products", { exact: true }).fill("ruled");
      await create(page).getByLabel("Products", { exact: true }).press("Enter");
      return create(page);
    };
    const created = async (page, form, name) => {
      await submit(form, "Create");
      await page.getByRole("heading", { level: 1, name }).waitFor();
    };
    await visit(browser, server, "/rules", { token: admin, expected: [/409/] }, async (page) => {
      const flow = await open(page, "flow", "Staging first");
      await flow.getByLabel("Environments that come first", { exact: true }).fill("ruled-staging");
      await flow.getByLabel("Environments that come first", { exact: true }).press("Enter");
      await flow.getByLabel("In this order").check();
      await flow.getByLabel("Minutes in the last of them").fill("1440");
      await flow.getByLabel("Production", { exact: true }).check();
      await flow.getByLabel("Rollbacks").selectOption("enforce");
      await flow.getByLabel("Mode").selectOption("report_only");
      await created(page, flow, "Staging first");
      await page.getByText("completed in ruled-staging, and 1 d in the last of them").waitFor();

      const concurrency = await open(page, "concurrency", "staging FIRST");
      assert.equal(await concurrency.getByLabel("Rollbacks").count(), 0, "it applies to rollbacks, too");
      await concurrency.getByLabel("Counted per").selectOption("environment");
      await submit(concurrency, "Create");
      await concurrency.getByRole("alert").getByText("Name already in use").waitFor();
      await concurrency.getByLabel("Name", { exact: true }).fill("One at a time");
      await created(page, concurrency, "One at a time");
      await page.getByText("At most 1 deployment in progress per environment").waitFor();

      const approval = await open(page, "version_approval_required", "Approved");
      await approval.getByLabel("QA").check();
      await approval.getByLabel("Hours for which an approval counts").fill("168");
      await created(page, approval, "Approved");
      await page.getByText("Requires an approval of the version: QA, not older than 7 d").waitFor();
      await page.getByRole("button", { name: "Edit" }).click();
      const edit = page.getByRole("dialog", { name: "Edit Approved" });
      await edit.getByLabel("Hours for which an approval counts").fill("");
      await edit.getByLabel("Only approvals for the environment").fill("ruled-live");
      await submit(edit, "Save");
      await page.getByText("Requires an approval of the version: QA for ruled-live").waitFor();
    });
    const flow = await ruleNamed("Staging first");
    assert.deepEqual(flow.flow, { prerequisites: ["ruled-staging"], strict_order: true, min_soak_minutes: 1440 });
    assert.deepEqual(
      [flow.mode, flow.rollback, flow.scope.environment_types],
      ["report_only", "enforce", ["production"]],
    );
    const approval = (await ruleNamed("Approved")).version_approval_required;
    assert.deepEqual(approval, { required_approvals: ["qa"], environment: "ruled-live", approval_timeout_hours: null });
    assert.equal((await ruleNamed("One at a time")).concurrency.per, "environment");
  });

  test("shows what a rule would have blocked before it is switched on", async () => {
    const { id } = await call("POST", "/deployment-rules/", {
      name: "Never there",
      rule_type: "flow",
      mode: "disabled",
      scope: { environments: ["ruled-live"] },
      flow: { prerequisites: ["no such place"] },
    });
    await visit(browser, server, `/rules/${id}`, { token: sre, expected: [/412/] }, async (page) => {
      const backtests = [];
      page.on("request", (request) => request.url().endsWith("/backtest") && backtests.push(request));
      await page.getByRole("button", { name: "Switch on" }).click();
      const dialog = page.getByRole("dialog", { name: "Switch on: Never there" });
      await dialog.getByText("Of 1 deployment that started in the last 30 days, it would have blocked 1.").waitFor();
      await dialog.getByRole("link", { name: "ruled 1" }).waitFor();
      await assertAccessibleInEveryLook(page, "rule-switch-on");
      // Polls wait: after one of them, the page would have the revision of the other user.
      const isPoll = (url) => url.pathname === `/deployment-rules/${id}`;
      const refused = page.waitForResponse((answer) => answer.status() === 412);
      const onPoll = (route) =>
        route.request().method() === "GET" ? refused.then(() => route.continue()) : route.continue();
      await page.route(isPoll, onPoll);
      await call("PATCH", `/deployment-rules/${id}`, { priority: 7 });
      await submit(dialog, "Switch on");
      await dialog.getByText("Another user has changed this rule.").waitFor();
      await page.unroute(isPoll, onPoll);
      await submit(dialog, "Switch on");
      await dialog.waitFor({ state: "detached" });
      await page.getByText("✓enabled").waitFor();
      assert.ok(backtests.length <= 3, "a backtest for each revision");
      await page.getByRole("button", { name: "Disable" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
      await page.getByText("○disabled").waitFor();
    });
    assert.deepEqual(
      [(await ruleNamed("Never there")).mode, (await ruleNamed("Never there")).priority],
      ["disabled", 7],
    );
  });

  test("shows both versions when another user has changed the rule, and deletes it", async () => {
    const { id } = await call("POST", "/deployment-rules/", {
      name: "Contested",
      rule_type: "concurrency",
      mode: "disabled",
      scope: { products: ["ruled"] },
      concurrency: { max_in_progress: 2 },
    });
    await visit(browser, server, `/rules/${id}`, { token: admin, expected: [/412/] }, async (page) => {
      await page.getByRole("button", { name: "Edit" }).click();
      const form = page.getByRole("dialog", { name: "Edit Contested" });
      await form.getByLabel("Priority").fill("5");
      await call("PATCH", `/deployment-rules/${id}`, { concurrency: { max_in_progress: 9 } });
      await submit(form, "Save");
      const notice = form.getByRole("alert", { name: "Changed by another user" });
      await notice.getByText("Deployments in progress at most").waitFor();
      await submit(notice, "Save my changes over it");
      await form.waitFor({ state: "detached" });
      await page.getByText("At most 9 deployments in progress").waitFor();
      await page.getByRole("button", { name: "Delete" }).click();
      const dialog = page.getByRole("dialog", { name: "Delete Contested" });
      await dialog.getByLabel("Delete the rule").check();
      await submit(dialog, "Delete");
      await page.waitForURL(/\/rules$/);
      await page.getByRole("link", { name: "Never there" }).waitFor();
      assert.equal(await page.getByRole("link", { name: "Contested" }).count(), 0);
    });
  });

  test("lists the rules with filters in the address, and says what the role may not do", () =>
    visit(browser, server, "/rules", { token: viewer }, async (page) => {
      await page.getByText("Your role may not create, change, switch on or delete deployment rules").waitFor();
      const flow = row(page, "Staging first");
      await flow.getByText("!reports only").waitFor();
      await flow.getByText("ruled in environments of type production").waitFor();
      await assertAccessibleInEveryLook(page, "rules");
      assert.equal(await page.getByRole("button", { name: "New rule" }).count(), 0);
      await page.getByLabel("Type", { exact: true }).selectOption("flow");
      await page.getByLabel("Mode").selectOption("report_only");
      await page.waitForURL(/type=flow&mode=report_only/);
      await row(page, "Never there").waitFor({ state: "detached" });
      await page.getByLabel("Name or scope").fill("no such rule");
      await page.getByRole("heading", { name: "No rule matches the filters" }).waitFor();
      await page.getByRole("button", { name: "Clear" }).click();
      await page.getByRole("link", { name: "Staging first" }).click();
      await page.getByText("Your role may not change, switch on or delete deployment rules").waitFor();
      assert.equal(await page.getByRole("button", { name: /^(Edit|Delete|Switch on|Report only|Disable)/ }).count(), 0);
      await page.getByRole("link", { name: "Violations", exact: true }).click();
      await page.waitForURL(/\/violations\?rule=/);
    }));
});
