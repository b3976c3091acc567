// Tests of signing in and out, of a session that ends while a page is open, and of a server that is away.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { AWAY, assertAccessibleInEveryLook, cellOf, keepPicture, suite, visit } from "./browser.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const SIGNED_OUT = [/401/];

describe("session", suite, () => {
  let server, browser;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
  });

  const send = (version, name = "checkout") =>
    fetch(`${server.url}/deployment-events/`, {
      method: "POST",
      headers: { Authorization: `Bearer ${server.key}`, "Content-Type": "application/json" },
      body: JSON.stringify({ product_name: name, version, environment_name: "production", status: "completed" }),
    });
  const signIn = (page) => page.getByRole("button", { name: "Continue as admin of demo" }).click();

  test("offers to sign in, in every look", () =>
    visit(browser, server, "/", { expected: SIGNED_OUT }, async (page) => {
      await page.getByRole("button", { name: "Continue as admin of demo" }).waitFor();
      await assertAccessibleInEveryLook(page, "sign-in");
    }));

  test("signs in, stays on the page that was asked for, and signs out", () =>
    visit(browser, server, "/start", { expected: SIGNED_OUT }, async (page, context) => {
      await signIn(page);
      await page.getByRole("heading", { name: "Get started" }).waitFor();
      const session = (await context.cookies()).find(({ name }) => name.endsWith("versioner_session"));
      assert.ok(session.httpOnly && session.sameSite === "Lax");
      await page.getByRole("button", { name: /^Account menu/ }).click();
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      await page.getByRole("button", { name: "Continue as admin of demo" }).waitFor();
      await page.goto(`${server.url}/app/start`);
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
    }));

  test("says why a sign-in failed", () =>
    visit(browser, server, "/sign-in?error=expired", {}, (page) =>
      page.getByRole("alert").getByText("expired, or was used before").waitFor(),
    ));

  test("signs in over the page when the session ends, and keeps what was typed", () =>
    visit(browser, server, "/start", { expected: SIGNED_OUT }, async (page, context) => {
      await signIn(page);
      const create = page.getByRole("button", { name: "Create a key" });
      await create.waitFor();
      await context.clearCookies();
      await create.click();
      const dialog = page.getByRole("dialog", { name: "Your session has ended" });
      await dialog.waitFor();
      await keepPicture(page, "session-ended");
      await dialog.getByRole("button", { name: "Continue as admin of demo" }).click();
      await dialog.waitFor({ state: "detached" });
      await create.click();
      await page.getByRole("region", { name: "API key" }).waitFor();
    }));

  test("signs in at an identity provider in a window of its own, which closes", () =>
    visit(browser, server, "/start", { expected: SIGNED_OUT }, async (page, context) => {
      await signIn(page);
      const create = page.getByRole("button", { name: "Create a key" });
      await create.waitFor();
      await context.route(/\/auth\/providers/, (route) =>
        route.fulfill({
          json: {
            providers: [
              {
                type: "openid_connect",
                name: "login.example.com",
                issuer: "https://login.example.com",
                url: "/auth/login?issuer=x",
              },
            ],
          },
        }),
      );
      await context.route(/\/auth\/login/, async (route) => {
        const returnTo = new URL(route.request().url()).searchParams.get("return_to");
        await context.request.post(`${server.url}/auth/dev`, { maxRedirects: 0 });
        await route.fulfill({ status: 302, headers: { Location: returnTo } });
      });
      await context.clearCookies();
      await create.click();
      const dialog = page.getByRole("dialog", { name: "Your session has ended" });
      const opened = context.waitForEvent("page");
      await dialog.getByRole("button", { name: "Continue with login.example.com" }).click();
      const window = await opened;
      await dialog.waitFor({ state: "detached" });
      if (!window.isClosed()) await window.waitForEvent("close");
      await create.click();
      await page.getByRole("region", { name: "API key" }).waitFor();
    }));

  test("tries a request without an answer to its credential once more", () =>
    visit(browser, server, "/start", { expected: SIGNED_OUT }, async (page, context) => {
      await signIn(page);
      await page.getByRole("button", { name: "Create a key" }).waitFor();
      let refusals = 0;
      await context.route(/\/environment-state\//, (route) => {
        if (refusals > 0) return route.continue();
        refusals += 1;
        return route.fulfill({ status: 401, json: { detail: "Invalid authentication credentials" } });
      });
      await send("1.0.0");
      await page.getByRole("link", { name: "Overview", exact: true }).click();
      await page.getByRole("grid").waitFor();
      assert.equal(refusals, 1);
      assert.equal(await page.getByRole("dialog").count(), 0);
    }));

  test("shows times by the clock of the server", () =>
    visit(browser, server, "/sign-in", { expected: SIGNED_OUT }, async (page, context) => {
      await context.clock.install({ time: Date.now() - 2 * 86_400_000 });
      await send("1.0.1", "clock");
      await page.goto(`${server.url}/app/`);
      await signIn(page);
      const row = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: "clock", exact: true }) });
      await row
        .locator("time")
        .getByText(/^(just now|\d+ s ago)$/)
        .waitFor();
    }));

  describe("polling", () => {
    /** Opens the page with a clock that the test moves; counts the requests for the list, which `answer` may fulfill. */
    const withClock = (answer, action) =>
      visit(browser, server, "/sign-in", { expected: [...SIGNED_OUT, ...AWAY] }, async (page, context) => {
        await send("1.0.3");
        let count = null; // until the page is shown
        await context.clock.install();
        await context.addInitScript(() => {
          let isHidden = false;
          Object.defineProperty(document, "hidden", { get: () => isHidden });
          Object.defineProperty(document, "visibilityState", { get: () => (isHidden ? "hidden" : "visible") });
          window.hide = (value) => {
            isHidden = value;
            document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
          };
        });
        await context.route(/\/environment-state\//, (route) => {
          if (count === null) return route.continue();
          count += 1;
          return answer(route, count);
        });
        await page.goto(`${server.url}/app/`);
        await signIn(page);
        await page.getByRole("grid").waitFor();
        await page.clock.pauseAt(await page.evaluate(() => Date.now() + 10_000)); // from here on, time passes by steps only
        count = 0;
        let pending = 0;
        const isPolled = (request) => request.url().includes("/environment-state/");
        page.on("request", (request) => (pending += isPolled(request) ? 1 : 0));
        for (const end of ["requestfinished", "requestfailed"])
          page.on(end, (request) => (pending -= isPolled(request) ? 1 : 0));
        // An answer needs real time after each step.
        const pass = async (seconds, step = 1) => {
          for (let passed = 0; passed < seconds; passed += step) {
            await page.clock.runFor(step * 1000);
            while (pending > 0) await new Promise((resolve) => setTimeout(resolve, 10));
          }
        };
        // The time of the page stands still, but a request may wait for another one, such as that of the credential.
        const reach = async (least) => {
          for (let waited = 0; count < least && waited < 10_000; waited += 50) {
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          assert.ok(count >= least, `${count} requests`);
        };
        await action(page, { pass, reach, requests: () => count });
      });

    test("happens every 5 seconds, in a hidden tab every 30, and not after 10 minutes", () =>
      withClock(
        (route) => route.continue(),
        async (page, { pass, reach, requests }) => {
          let before = requests();
          await pass(30);
          assert.ok(requests() - before >= 4 && requests() - before <= 7, `${requests() - before} in 30 s`);
          await page.evaluate(() => window.hide(true));
          await pass(10);
          before = requests();
          await pass(120, 5);
          assert.ok(requests() - before >= 3 && requests() - before <= 5, `${requests() - before} in 120 s, hidden`);
          await page.clock.fastForward(600_000);
          await pass(60, 5);
          before = requests();
          await pass(120, 5);
          assert.equal(requests(), before, "none after 10 minutes");
          await page.evaluate(() => window.hide(false));
          await pass(12);
          await reach(before + 1); // again in a visible tab
        },
      ));

    test("waits as long as the server asks", () =>
      withClock(
        (route, count) =>
          count === 1
            ? route.fulfill({
                status: 503,
                headers: { "Retry-After": "40" },
                json: { detail: "Service temporarily unavailable" },
              })
            : route.continue(),
        async (page, { pass, reach, requests }) => {
          await pass(8);
          assert.equal(requests(), 1);
          await pass(25);
          assert.equal(requests(), 1, "none before the time is over");
          await pass(20);
          await reach(2);
        },
      ));
  });

  test("keeps the page while the server is away, with the age of its data, and goes on afterwards", () =>
    visit(browser, server, "/", { expected: [...SIGNED_OUT, ...AWAY] }, async (page) => {
      await send("1.0.2");
      await signIn(page);
      const cell = await cellOf(page, "checkout", "production");
      await cell.getByText("1.0.2").waitFor();
      await server.end();
      const banner = page.getByRole("status").filter({ hasText: "The server does not answer" });
      await banner.waitFor();
      await page.getByText(/These data are \d+ s old/).waitFor();
      await cell.getByText("1.0.2").waitFor();
      await keepPicture(page, "away");
      await server.restart();
      await banner.waitFor({ state: "detached" });
    }));
});
