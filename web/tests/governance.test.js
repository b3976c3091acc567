// Tests of the pages that govern deployments: approvals of versions.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { assertAccessible, assertAccessibleInEveryLook, keepPicture, suite, visit } from "./browser.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const hostile = '<i onmouseover="alert(1)">\u202e"\'';

describe("governance", suite, () => {
  let server, browser, admin, qa, viewer;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    [admin, qa, viewer] = await Promise.all(["admin", "qa", "viewer"].map((role) => server.token(role)));
  });

  const call = async (method, path, body, token = admin) => {
    const answer = await fetch(server.url + path, {
      method,
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
    return answer.status === 204 ? null : answer.json();
  };
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
});
