// Tests of the pages that govern deployments: approvals of versions, violations of rules, and break-glass grants.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { assertAccessible, assertAccessibleInEveryLook, keepPicture, suite, visit } from "./browser.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const hostile = '<i onmouseover="alert(1)">\u202e"\'';

describe("governance", suite, () => {
  let server, browser, admin, manager, qa, viewer;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    [admin, manager, qa, viewer] = await Promise.all(
      ["admin", "release_manager", "qa", "viewer"].map((role) => server.token(role)),
    );
  });

  const call = (method, path, body, token = admin) => callServer(server, token, method, path, body);
  const row = (page, text) => page.getByRole("listitem").filter({ hasText: text });
  /** A version without decisions. */
  const newVersion = async (version) => {
    const event = { product_name: "governed", version, environment_name: "govern-test", status: "completed" };
    return (await call("POST", "/deployment-events/", event, server.key)).version_id;
  };

  test("approves, rejects and revokes as the role permits, and shows the server's reason beside the field", async () => {
    const id = await newVersion("approved-1");
    await visit(browser, server, `/versions/${id}`, { token: qa, expected: [/422/] }, async (page) => {
      await page.getByRole("heading", { name: "No approval yet" }).waitFor();
      await page.getByRole("button", { name: "Approve" }).click();
      const form = page.getByRole("dialog", { name: "Approve governed approved-1" });
      assert.deepEqual(await form.getByLabel("Type").locator("option").allInnerTexts(), ["QA", "Performance"]);
      await form.getByLabel("Environment").fill("no such place");
      await form.getByLabel("Comments").fill(`Suite is green ${hostile}`);
      await form.getByRole("button", { name: "Approve" }).click();
      await form.getByText("There is no environment with this name.").waitFor();
      await keepPicture(page, "approve");
      await assertAccessible(page);
      await form.getByLabel("Environment").fill("GOVERN-TEST");
      await form.getByRole("button", { name: "Approve" }).click();
      await form.waitFor({ state: "detached" });
      await row(page, "Suite is green <i onmouseover").getByText("govern-test").waitFor();

      await page.getByRole("button", { name: "Reject" }).click();
      const rejection = page.getByRole("dialog", { name: "Reject governed approved-1" });
      await rejection.getByRole("button", { name: "Reject" }).click();
      await rejection.getByText("a rejection needs comments").waitFor();
      assert.equal(await rejection.getByRole("alert").count(), 0, "the reason is beside the field alone");
      await rejection.getByLabel("Comments").fill("Login fails");
      await rejection.getByRole("button", { name: "Reject" }).click();
      await row(page, "Login fails").getByText("✕rejected").waitFor();

      await row(page, "Login fails").getByRole("button", { name: "Revoke QA: rejected" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
      await row(page, "Login fails").getByText("rejected, revoked").waitFor();
    });
    const { items } = await call("GET", `/versions/${id}/approvals`);
    assert.deepEqual(
      items.map(({ decision, counts }) => [decision, counts]),
      [
        ["rejected", false],
        ["approved", true],
      ],
    );
    await call("POST", `/versions/${id}/approvals`, { approval_type: "security", decision: "approved" });
    await visit(browser, server, `/versions/${id}`, { token: qa }, async (page) => {
      await row(page, "Security").waitFor();
      assert.equal(
        await row(page, "Security")
          .getByRole("button", { name: /Revoke/ })
          .count(),
        0,
        "that of another user",
      );
    });
    await visit(browser, server, `/versions/${id}`, { token: viewer }, async (page) => {
      await row(page, "Suite is green").waitFor();
      await assertAccessibleInEveryLook(page, "version-approvals");
      assert.equal(await page.getByRole("button", { name: /^(Approve|Reject|Revoke)/ }).count(), 0);
    });
  });

  test("proposes the first approval that rules require, that the version misses and that the role may give", async () => {
    const id = await newVersion("required-1");
    const { id: rule } = await call("POST", "/deployment-rules/", {
      name: "Two approvals of governed versions",
      rule_type: "version_approval_required",
      mode: "report_only",
      scope: { products: ["Governed"] },
      version_approval_required: { required_approvals: ["security", "qa"] },
    });
    const proposed = async (page) => {
      await page.getByRole("button", { name: "Approve", exact: true }).click();
      return page.getByRole("dialog").getByLabel("Type");
    };
    await visit(browser, server, `/versions/${id}`, { token: qa }, async (page) => {
      assert.equal(await (await proposed(page)).inputValue(), "qa", "the first is not that of the role");
    });
    await visit(browser, server, `/versions/${id}`, { token: admin }, async (page) => {
      for (const type of ["security", "qa", "uat"]) {
        const field = await proposed(page);
        assert.equal(await field.inputValue(), type);
        await assertAccessible(page);
        await page.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
        await field.waitFor({ state: "detached" });
      }
      assert.equal(await (await proposed(page)).inputValue(), "performance", "nothing is required any more");
    });
    await call("DELETE", `/deployment-rules/${rule}`);
  });

  test("lists what rules have blocked, and filters it in the address", async () => {
    await newVersion("blocked-1");
    await newVersion("reported-1");
    const window = { name: "freeze", effect: "deny", start: "2020-01-01T00:00", end: "2020-01-02T00:00" };
    const { id } = await call("POST", "/deployment-rules/", {
      name: `Freeze ${hostile}`,
      rule_type: "schedule",
      mode: "report_only",
      scope: { products: ["governed"], environments: ["govern-test"] },
      schedule: { timezone: "UTC", windows: [{ ...window, rrule: "FREQ=DAILY", reason: "Peak season" }] },
    });
    const event = {
      product_name: "governed",
      version: "blocked-1",
      environment_name: "govern-test",
      status: "started",
    };
    await call("POST", "/deployment-events/", { ...event, version: "reported-1" }, server.key);
    await call("PATCH", `/deployment-rules/${id}`, { mode: "enabled" });
    const answer = await fetch(`${server.url}/deployment-events/`, {
      method: "POST",
      headers: { Authorization: `Bearer ${server.key}`, "Content-Type": "application/json" },
      body: JSON.stringify(event),
    });
    assert.equal(answer.status, 423);
    await call("PATCH", `/deployment-rules/${id}`, { enabled: false });
    await visit(browser, server, "/violations", { token: viewer }, async (page) => {
      const violation = row(page, "Freeze <i onmouseover").first();
      await violation.getByText("⊘blocked").waitFor();
      await row(page, "governed reported-1").getByText("!reported only", { exact: true }).waitFor();
      await assertAccessibleInEveryLook(page, "violations");
      await page.getByLabel("Rule").selectOption(id);
      await page.getByLabel("Consequence").selectOption("blocked");
      await page.waitForURL(new RegExp(`rule=${id}&action=blocked`));
      await page.getByLabel("Reason").selectOption("FLOW_VIOLATION");
      await page.getByRole("heading", { name: "No violation matches the filters" }).waitFor();
      await page.getByRole("button", { name: "Clear" }).click();
      await page.waitForURL(/violations$/);
      await violation.getByRole("link", { name: "governed blocked-1" }).click();
      await page.getByText("did not start it: deployment rules block").waitFor();
      await page.getByText("⊘blocked").first().waitFor();
    });
  });

  test("creates, revokes and reviews a grant, and shows the server's reason beside the field", async () => {
    await newVersion("broken-1");
    await visit(browser, server, "/break-glass", { token: await server.token("admin", "ungoverned") }, (page) =>
      page.getByRole("heading", { name: "No grant yet" }).waitFor(),
    );
    await visit(browser, server, "/break-glass", { token: admin, expected: [/422/] }, async (page) => {
      await page.getByRole("button", { name: "Create a grant" }).click();
      const form = page.getByRole("dialog", { name: "Create a break-glass grant" });
      await form.getByText("at most 60 minutes").waitFor();
      assert.equal(await form.getByLabel("Minutes").inputValue(), "30");
      const types = ["Schedule", "Flow", "Deployment request", "Version approval"];
      assert.deepEqual(
        await form.getByRole("checkbox").evaluateAll((all) => all.map((box) => box.labels[0].innerText)),
        types,
      );
      await form.getByLabel("Product").fill("no such product");
      await form.getByLabel("Environment").fill("govern-test");
      await form.getByLabel("Version", { exact: true }).fill("broken-2");
      await form.getByLabel("Reason").fill("too short");
      await form.getByLabel("Minutes").fill("90");
      await form.getByRole("button", { name: "Create", exact: true }).click();
      await form.getByText("There is no product with this name.").waitFor();
      await form.getByLabel("Product").fill("governed");
      await form.getByRole("button", { name: "Create", exact: true }).click();
      await form.locator("textarea[aria-invalid=true]").waitFor();
      assert.equal(await form.getByRole("alert").count(), 0, "the reason is beside the field alone");
      await keepPicture(page, "grant-refused");
      await assertAccessible(page);
      await form.getByLabel("Reason").fill(`Payments fail; this has the fix ${hostile}`);
      await form.getByRole("button", { name: "Create", exact: true }).click();
      await form.getByText("must be at most 60, as the settings require").waitFor();
      await form.getByLabel("Minutes").fill("15");
      await form.getByRole("button", { name: "Create", exact: true }).click();
      await form.waitFor({ state: "detached" });
      const grant = row(page, "broken-2");
      await grant.getByText("◐active").waitFor();
      await grant.getByText("15 min", { exact: true }).waitFor();
      await grant.getByRole("button", { name: "Revoke governed broken-2" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
      await grant.getByText("⊘revoked").waitFor();
      await grant.getByText("not reviewed").waitFor();
      assert.equal(await grant.getByRole("button", { name: /Review/ }).count(), 0, "its creator does not review it");
    });
    await visit(browser, server, "/break-glass", { token: manager }, async (page) => {
      await page.getByRole("button", { name: "Review governed broken-2" }).click();
      await page.getByRole("dialog").getByLabel("Comments").fill("Not needed after all");
      await page.getByRole("button", { name: "Record the review" }).click();
      await row(page, "broken-2").getByText("Not needed after all").waitFor();
    });
    await visit(browser, server, "/break-glass", { token: viewer }, async (page) => {
      await page.getByText("Your role may not create, confirm, revoke or review").waitFor();
      await row(page, "broken-2").waitFor();
      await assertAccessibleInEveryLook(page, "grants");
      assert.equal(await page.getByRole("button", { name: /^(Create|Confirm|Revoke|Review)/ }).count(), 0);
    });
  });

  test("asks for a second user where the settings require one", async () => {
    await newVersion("second-1");
    await call("PATCH", "/governance-settings", { break_glass_second_person: true, break_glass_max_minutes: 20 });
    await visit(browser, server, "/break-glass", { token: admin }, async (page) => {
      await page.getByRole("button", { name: "Create a grant" }).click();
      const form = page.getByRole("dialog");
      await form.getByText("Another user must confirm it").waitFor();
      assert.equal(await form.getByLabel("Minutes").inputValue(), "20", "the default is not above the maximum");
      await form.getByLabel("Product").fill("governed");
      await form.getByLabel("Environment").fill("govern-test");
      await form.getByLabel("Version", { exact: true }).fill("second-2");
      await form.getByLabel("Reason").fill("The certificate expires tonight");
      await form.getByRole("button", { name: "Create", exact: true }).click();
      await row(page, "second-2").getByText("waits for a second user").waitFor();
      assert.equal(
        await row(page, "second-2")
          .getByRole("button", { name: /Confirm/ })
          .count(),
        0,
      );
    });
    await visit(browser, server, "/break-glass", { token: manager }, async (page) => {
      await page.getByRole("button", { name: "Confirm governed second-2" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Confirm" }).click();
      await row(page, "second-2").getByText("◐active").waitFor();
    });
    await call("PATCH", "/governance-settings", { break_glass_second_person: false, break_glass_max_minutes: 60 });
  });
});
