// Tests of the box that asks whether a deployment may start, and of the settings of governance.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { assertAccessible, assertAccessibleInEveryLook, keepPicture, suite, visit } from "./browser.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

describe("preflight", suite, () => {
  let server, browser, admin, viewer, asked, version;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    [admin, viewer] = await Promise.all(["admin", "viewer"].map((role) => server.token(role)));
    const event = { product_name: "asked", version: "1", environment_name: "asked-live", status: "completed" };
    asked = await call("POST", "/deployment-events/", event, server.key);
    version = asked.version_id;
  });

  const call = (method, path, body, token = admin) => callServer(server, token, method, path, body);
  const rule = async (body) =>
    (await call("POST", "/deployment-rules/", { scope: { products: ["asked"] }, ...body })).id;

  test("answers on the page of a version when it is asked, and again", async () => {
    const local = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 16);
    const window = { name: "freeze", effect: "deny", start: local(-1), end: local(2), reason: "Peak season" };
    const rules = [];
    await visit(browser, server, `/versions/${version}`, { token: viewer }, async (page) => {
      let requests = 0;
      page.on("request", (request) => request.url().endsWith("/preflight/") && requests++);
      const box = page.locator("section").filter({ has: page.getByRole("heading", { name: "May I deploy it?" }) });
      assert.ok(await box.getByRole("button", { name: "Ask" }).isDisabled());
      await box.getByLabel("Environment").fill("asked-live");
      await box.getByRole("button", { name: "Ask" }).click();
      await box.getByText("✓yes").waitFor();
      await box.getByText("It may be deployed now.").waitFor();

      rules.push(
        await rule({
          name: "Asked freeze",
          rule_type: "schedule",
          schedule: { timezone: "UTC", windows: [window] },
        }),
        await rule({
          name: "Asked QA",
          rule_type: "version_approval_required",
          version_approval_required: { required_approvals: ["qa"] },
        }),
        await rule({
          name: "Asked flow",
          rule_type: "flow",
          mode: "report_only",
          flow: { prerequisites: ["no such place"] },
        }),
      );
      await page.waitForTimeout(1_200); // an account's first rule binds within a second
      await box.getByRole("button", { name: "Ask again" }).click();
      await box.getByText("⊘no").waitFor();
      await box.getByText("Waiting alone will not clear this. Once it has the approvals").waitFor();
      await box.getByRole("link", { name: "Asked freeze" }).first().waitFor();
      await box.getByText("Peak season").waitFor();
      await box.getByText("QA, by").waitFor();
      await box.getByRole("heading", { name: "Would be blocked if the rule were enabled" }).waitFor();
      await box.scrollIntoViewIfNeeded();
      await assertAccessibleInEveryLook(page, "preflight");
      await page.waitForTimeout(6_000);
      assert.equal(requests, 2, "it is not polled");

      await box.getByLabel("Environment").fill("no such environment");
      await box.getByText("⊘no").waitFor({ state: "detached" });
      await box.getByRole("button", { name: "Ask" }).click();
      await box.getByText("!warning").first().waitFor();
    });
    await call("PATCH", `/deployment-rules/${rules[1]}`, { mode: "disabled" });
    await visit(browser, server, "/?q=asked&environment=asked-live", { token: viewer }, async (page) => {
      await page.getByRole("gridcell").first().click();
      const panel = page.getByRole("dialog", { name: "asked in asked-live" });
      await panel.getByRole("button", { name: "May I deploy to asked-live?" }).click();
      await panel.getByRole("combobox", { name: "Version" }).waitFor();
      await page.waitForFunction(() => document.querySelector("dialog[open] input")?.value === "1");
      await panel.getByRole("button", { name: "May I deploy 1 to asked-live?" }).waitFor();
      await panel.getByRole("button", { name: "Ask", exact: true }).click();
      await panel.getByText(/^1 to asked-live: blocked now by a freeze until [^;]+\.$/).waitFor();
      await panel.getByText("It may be deployed from").waitFor();
      await panel.getByText("permits it").waitFor();
      await keepPicture(page, "preflight-cell");
      await assertAccessible(page);

      const { product_id, environment_id } = asked;
      const grant = { product_id, environment_id, version: "1", reason: "Payments fail since 15:10" };
      await call("POST", "/break-glass-grants/", grant);
      await panel.getByRole("button", { name: "Ask again" }).click();
      await panel.getByText("The start would use a grant, which permits it once.").waitFor();
      await panel.getByText("It may be deployed now.").waitFor();
      await panel.getByRole("heading", { name: "What the grant overrides" }).waitFor();
      await assertAccessibleInEveryLook(page, "preflight-grant");
    });
    for (const id of rules) await call("DELETE", `/deployment-rules/${id}`);
  });

  test("names each kind of obstacle in its first sentence, and a missing approval of the version once", async () => {
    const event = { product_name: "hindered", environment_name: "hindered-live" };
    const first = await call(
      "POST",
      "/deployment-events/",
      { ...event, version: "1", status: "completed" },
      server.key,
    );
    await call("POST", "/deployment-events/", { ...event, version: "2", status: "started" }, server.key);
    const until = new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 16);
    const freeze = { name: "freeze", effect: "deny", start: "2026-01-01T00:00", end: until, reason: null };
    const approval = {
      rule_type: "version_approval_required",
      version_approval_required: { required_approvals: ["qa"] },
    };
    const rules = [];
    for (const body of [
      { name: "Hindered freeze", rule_type: "schedule", schedule: { timezone: "UTC", windows: [freeze] } },
      { name: "Hindered QA", ...approval },
      { name: "Hindered QA again", ...approval },
      { name: "Hindered flow", rule_type: "flow", flow: { prerequisites: ["no such place"] } },
      { name: "Hindered slots", rule_type: "concurrency", concurrency: { max_in_progress: 1 } },
    ]) {
      const scope = { products: ["hindered"], environments: ["hindered-live"] };
      rules.push((await call("POST", "/deployment-rules/", { ...body, scope })).id);
    }
    await visit(browser, server, `/versions/${first.version_id}`, { token: viewer }, async (page) => {
      await page.waitForTimeout(1_200); // an account's first rule binds within a second
      const box = page.locator("section").filter({ has: page.getByRole("heading", { name: "May I deploy it?" }) });
      await box.getByLabel("Environment").fill("hindered-live");
      await box.getByRole("button", { name: "Ask" }).click();
      const headline = box.getByText(/^1 to hindered-live: blocked now by /);
      const text = await headline.textContent();
      for (const kind of [
        /a freeze until [^;]*20\d\d/,
        /a missing approval/,
        /other environments that come first/,
        /another deployment in progress/,
      ]) {
        assert.equal(text.split(kind).length, 2, `${text} has ${kind} once`);
      }
      assert.equal(await box.getByText("QA, by").count(), 1);
      await box.getByText("Waiting alone will not clear this.").waitFor();
      await assertAccessibleInEveryLook(page, "preflight-obstacles");
    });
    for (const id of rules) await call("DELETE", `/deployment-rules/${id}`);
    await call("POST", "/deployment-events/", { ...event, version: "2", status: "completed" }, server.key);
  });

  test("shows what has just happened as such, between two ticks of the times of the page", async () => {
    const event = { product_name: "ticked", version: "1", environment_name: "asked-live", status: "completed" };
    const ticked = await call("POST", "/deployment-events/", event, server.key);
    const { id } = await call("POST", "/deployment-rules/", {
      name: "Between ticks",
      scope: { products: ["ticked"] },
      rule_type: "version_approval_required",
      version_approval_required: { required_approvals: ["qa"] },
    });
    await visit(browser, server, "/start", { token: admin }, async (page) => {
      await page.addInitScript(() => {
        const { setInterval } = window;
        window.setInterval = (run, time, ...rest) => (time === 15_000 ? 0 : setInterval(run, time, ...rest)); // no tick
      });
      await page.goto(`${server.url}/app/versions/${ticked.version_id}`);
      const box = page.locator("section").filter({ has: page.getByRole("heading", { name: "May I deploy it?" }) });
      await box.getByLabel("Environment").fill("asked-live");
      await page.waitForTimeout(11_000); // up to 10 s ahead are "just now"
      await box.getByRole("button", { name: "Ask" }).click();
      await box.getByText("asked just now").waitFor();
      await box.getByText("Once it has the approvals, it may be deployed now.").waitFor();
      await page.getByRole("button", { name: "Approve", exact: true }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
      await page.getByRole("list", { name: "Approvals" }).getByText("just now").waitFor();
    });
    await call("DELETE", `/deployment-rules/${id}`);
  });

  test("asks about the version that would be promoted next, and names it and the environment", async () => {
    const event = { product_name: "promoted", status: "completed" };
    const record = (version, environment_name) =>
      call("POST", "/deployment-events/", { ...event, version, environment_name }, server.key);
    for (const version of ["1.0", "1.1", "1.2"]) await record(version, "qa");
    await record("1.0", "production");
    await visit(browser, server, "/?q=promoted&environment=production", { token: viewer }, async (page) => {
      await page.getByRole("gridcell").first().click();
      const panel = page.getByRole("dialog", { name: "promoted in production" });
      const version = panel.getByRole("combobox", { name: "Version" });
      await panel.getByRole("button", { name: "May I deploy 1.2 to production?" }).click();
      assert.equal(await version.inputValue(), "1.2", "without staging, the environment before is a test");
      await version.fill("1.1");
      await panel.getByRole("button", { name: "May I deploy 1.1 to production?" }).waitFor();
      await panel.getByRole("button", { name: "Ask", exact: true }).click();
      await panel.getByText("1.1 to production: it may be deployed now.").waitFor();
    });
    await record("1.1", "staging");
    await visit(browser, server, "/?q=promoted&environment=production", { token: viewer }, async (page) => {
      await page.getByRole("gridcell").first().click();
      await page.getByRole("button", { name: "May I deploy 1.1 to production?" }).click();
      await assertAccessibleInEveryLook(page, "preflight-promotion");
    });
    for (const version of ["1.1", "1.2"]) {
      await record(version, "production");
      await visit(browser, server, "/?q=promoted&environment=production", { token: viewer }, async (page) => {
        await page.getByRole("gridcell").filter({ hasText: version }).click();
        const title = "May I deploy to production?";
        await page.getByRole("dialog").getByRole("button", { name: title, exact: true }).waitFor();
      });
    }
  });

  test("shows the settings of governance to administrators, who change them", async () => {
    await visit(browser, server, "/settings/governance", { token: admin, expected: [/412|422/] }, async (page) => {
      await page.getByRole("button", { name: "Change" }).click();
      const form = page.getByRole("dialog", { name: "Change the settings of governance" });
      await form.getByLabel("Minutes of a break-glass grant at most").fill("241");
      await form.getByRole("button", { name: "Save" }).click();
      await form.locator("input[aria-invalid=true]").waitFor();
      assert.equal(await form.getByRole("alert").count(), 0, "the reason is beside the field alone");
      await call("PATCH", "/governance-settings", { approval_mails: false });
      await form.getByLabel("Minutes of a break-glass grant at most").fill("45");
      await form.getByLabel("Users may approve what they have requested").check();
      await form.getByRole("button", { name: "Save" }).click();
      const notice = form.getByRole("alert", { name: "Changed by another user" });
      await notice.getByText("E-mail about requests to approvers and requesters").waitFor();
      await notice.getByRole("button", { name: "Save my changes over it" }).click();
      await form.waitFor({ state: "detached" });
      await page.getByText("45", { exact: true }).waitFor();
      await assertAccessibleInEveryLook(page, "governance-settings");
    });
    const settings = await call("GET", "/governance-settings");
    assert.deepEqual(
      [settings.break_glass_max_minutes, settings.requester_may_approve, settings.approval_mails],
      [45, true, false],
    );
    const former = { break_glass_max_minutes: 60, requester_may_approve: false, approval_mails: true };
    await call("PATCH", "/governance-settings", former);
    await visit(browser, server, "/settings/governance", { token: viewer }, async (page) => {
      await page.getByRole("heading", { name: "Your role may not change the settings of governance" }).waitFor();
      assert.equal(await page.getByRole("link", { name: "Governance settings", exact: true }).count(), 0);
    });
  });
});
