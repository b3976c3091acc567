// Tests of what a view shows when its data cannot be read again: how old they are, and why.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { assertAccessible, keepPicture, suite, visit } from "./browser.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const EXPECTED = [/40[13]|429|500/];

describe("old data", suite, () => {
  let server, browser, token;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    token = await server.token();
  });

  const ageIn = (view) => view.getByRole("group", { name: "Age of the data" });

  for (const [status, cause, headers] of [
    [403, "Your role may not view this any more."],
    [429, "Too many requests: the page waits as long as the server asks.", { "Retry-After": "2" }],
    [500, "The server does not answer."],
  ]) {
    test(`keeps the matrix after ${status}, with its age and the cause, until it is read again`, () =>
      visit(browser, server, "/", { token, expected: EXPECTED }, async (page, context) => {
        await page.getByRole("grid").waitFor();
        assert.equal(await ageIn(page).count(), 0, "new data have no age");
        const refuse = (route) => route.fulfill({ status, headers, json: { detail: "refused" } });
        await context.route(/\/environment-state\//, refuse);
        const age = ageIn(page.getByRole("main"));
        await age.getByText(cause).waitFor();
        await age.getByText(/^These data are ([5-9]|\d\d+) s old\.$/).waitFor();
        assert.ok((await page.getByRole("gridcell").count()) > 0, "the data stay");
        await keepPicture(page, `old-data-${status}`);
        await assertAccessible(page);
        await context.unroute(/\/environment-state\//, refuse);
        await age.waitFor({ state: "detached" });
      }));
  }

  test("shows it in the view that is concerned alone", () =>
    visit(browser, server, "/products", { token, expected: EXPECTED }, async (page, context) => {
      await page.getByRole("link", { name: "storefront", exact: true }).click();
      const panel = page.locator("section").filter({ has: page.getByRole("heading", { name: "Environments" }) });
      await panel.getByRole("table").waitFor();
      await context.route(/\/environment-state\//, (route) => route.fulfill({ status: 403, json: { detail: "no" } }));
      await ageIn(panel).getByText("Your role may not view this any more.").waitFor();
      assert.equal(await ageIn(page).count(), 1);
    }));

  test("offers to sign in after the dialog of an ended session was closed", () =>
    visit(browser, server, "/", { expected: EXPECTED }, async (page, context) => {
      const signIn = (at) => at.getByRole("button", { name: "Continue as admin of demo" }).click();
      await signIn(page);
      await page.getByRole("grid").waitFor();
      await context.clearCookies();
      const dialog = page.getByRole("dialog", { name: "Your session has ended" });
      await dialog.waitFor();
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
      const age = ageIn(page.getByRole("main"));
      await age.getByText("Your session has ended.").waitFor();
      await age.getByText(/^These data are \d+ (s|min) old\.$/).waitFor();
      await keepPicture(page, "old-data-401");
      await age.getByRole("button", { name: "Sign in" }).click();
      await signIn(dialog);
      await age.waitFor({ state: "detached" });
      await page.getByRole("grid").waitFor();
    }));
});
