// Tests of signing in and out at an identity provider: the npm package oidc-provider, with its own pages.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { keepPicture, suite, visit } from "./browser.js";
import { startProvider } from "./provider.js";
import { sharedBrowser, sharedServer } from "./shared.js";

describe("identity provider", suite, () => {
  let server, provider, browser, expected;

  before(async () => {
    server = await sharedServer();
    provider = await startProvider(server.url);
    const issuer = {
      issuer: provider.url,
      audience: ["https://api.example.com"],
      name: "Example",
      client_id: "browser",
      client_secret: "secret",
    };
    await server.configure({ VERSIONER_PUBLIC_URL: server.url, VERSIONER_JWT_ISSUERS: JSON.stringify([issuer]) });
    browser = await sharedBrowser();
    // The pages of the provider are foreign; they load a font and have no icon.
    const foreign = [provider.url, "https://fonts.googleapis.com/"].map((origin) => new RegExp(`: ${origin}`));
    expected = [/401/, /ERR_NAME_NOT_RESOLVED|404 \(Not Found\)/, ...foreign];
  });

  after(async () => {
    await provider?.stop();
  });

  const start = (page) => page.getByRole("button", { name: "Continue with Example" }).click();
  const logIn = async (page) => {
    await page.getByPlaceholder("Enter any login").fill("person-1");
    await page.getByPlaceholder("and password").fill("any");
    await page.getByRole("button", { name: "Sign-in" }).click();
  };
  const consent = (page) => page.getByRole("button", { name: "Continue" }).click();
  const signIn = async (page) => {
    await start(page);
    await logIn(page);
    await consent(page);
  };
  const endSessions = async (context) => {
    const answer = await context.request.delete(`${server.url}/auth/sessions/`);
    assert.equal(answer.status(), 204);
  };

  test("signs in with login and consent, on the page that was asked for", () =>
    visit(browser, server, "/products?name=x", { expected }, async (page, context) => {
      await start(page);
      await page.waitForURL(`${provider.url}/**`);
      await logIn(page);
      await page.getByText("profile", { exact: true }).waitFor();
      await consent(page);
      await page.getByRole("heading", { name: "Products" }).waitFor();
      assert.equal(page.url(), `${server.url}/app/products?name=x`);
      await page.getByRole("button", { name: "Account menu Ada Lovelace acme · admin" }).waitFor();
      const names = (await context.cookies(server.url)).map(({ name }) => name);
      assert.ok(names.includes("versioner_session") && !names.includes("versioner_login"), `${names}`);
    }));

  test("keeps what was typed when the session ends in the middle of a form", () =>
    visit(browser, server, "/products", { expected }, async (page, context) => {
      await signIn(page);
      await page.getByRole("button", { name: "New product" }).click();
      const form = page.getByRole("dialog", { name: "New product" });
      await form.getByLabel("Name").fill("typed-before");
      await form.getByLabel("Description").fill("and kept");
      await endSessions(context);
      await context.clearCookies({ name: /^_/ }); // the provider asks for a login, too
      await form.getByRole("button", { name: "Create" }).click();
      const dialog = page.getByRole("dialog", { name: "Your session has ended" });
      const opened = context.waitForEvent("page");
      await dialog.getByRole("button", { name: "Continue with Example" }).click();
      const window = await opened;
      const closed = window.waitForEvent("close");
      await logIn(window);
      await consent(window);
      await closed;
      await dialog.waitFor({ state: "detached" });
      await keepPicture(page, "session-renewed");
      assert.equal(await form.getByLabel("Name").inputValue(), "typed-before");
      assert.equal(await form.getByLabel("Description").inputValue(), "and kept");
      await form.getByRole("button", { name: "Create" }).click();
      await form.waitFor({ state: "detached" });
      await page.getByRole("heading", { name: "typed-before" }).or(page.getByText("typed-before")).first().waitFor();
    }));

  test("signs in without a question while the session at the provider lasts", () =>
    visit(browser, server, "/start", { expected }, async (page, context) => {
      await signIn(page);
      await page.getByRole("heading", { name: "Get started" }).waitFor();
      await endSessions(context);
      await page.goto(`${server.url}/app/start`);
      await start(page);
      await page.getByRole("heading", { name: "Get started" }).waitFor();
    }));

  test("ends the session at the provider when the user signs out", () =>
    visit(browser, server, "/start", { expected }, async (page) => {
      await signIn(page);
      await page.getByRole("button", { name: /^Account menu/ }).click();
      const hint = page.waitForRequest((request) => request.url().startsWith(`${provider.url}/session/end?`));
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      const { searchParams } = new URL((await hint).url());
      const [, claims] = searchParams.get("id_token_hint").split(".");
      assert.equal(JSON.parse(Buffer.from(claims, "base64url")).sub, "person-1");
      await page.getByRole("button", { name: "Yes, sign me out" }).click();
      await page.waitForURL(`${server.url}/app/sign-in`);
      await start(page);
      await page.getByPlaceholder("Enter any login").waitFor();
    }));

  test("says that the user declined, and returns to the page that was asked for", () =>
    visit(browser, server, "/start", { expected }, async (page) => {
      await start(page);
      await page.getByRole("link", { name: "Cancel" }).click();
      await page.getByRole("alert").getByText("declined at the identity provider").waitFor();
      await signIn(page);
      await page.getByRole("heading", { name: "Get started" }).waitFor();
      assert.equal(page.url(), `${server.url}/app/start`);
    }));
});
