// Tests of signing in with the cookie of another application on the same domain, such as one with Clerk: VERSIONER_SIGN_IN_URL.
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";

import { suite, visit } from "./browser.js";
import { sharedBrowser, sharedServer } from "./shared.js";

/** Starts an application that signs its only user in at /sign-in, and issues session tokens like those of Clerk. */
async function startApplication(dashboard) {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = { ...publicKey.export({ format: "jwk" }), kid: "ins_1", use: "sig", alg: "RS256" };
  const encode = (object) => Buffer.from(JSON.stringify(object)).toString("base64url");
  const application = createServer((request, response) => {
    if (request.url === "/.well-known/jwks.json") {
      response.setHeader("Content-Type", "application/json").end(JSON.stringify({ keys: [key] }));
    } else if (request.url === "/sign-in") {
      response.setHeader("Set-Cookie", `__session=${token()}; Path=/; SameSite=Lax`);
      response.setHeader("Content-Type", "text/html");
      response.end(
        `<!doctype html><title>Application</title><link rel="icon" href="data:,"><a href="${dashboard}/app/start">Versioner</a>`,
      );
    } else {
      response.writeHead(404).end();
    }
  }).listen(0, "127.0.0.1");
  await once(application, "listening");
  const url = `http://127.0.0.1:${application.address().port}`;
  const token = () => {
    const now = Math.floor(Date.now() / 1000);
    const user = {
      sub: "user_2abc",
      name: "Grace Hopper",
      sid: "sess_2def",
      v: 2,
      o: { id: "org_2ghi", slg: "globex", rol: "admin" },
    };
    const claims = { iss: url, azp: url, iat: now, exp: now + 60, ...user };
    const text = `${encode({ alg: "RS256", kid: "ins_1", typ: "JWT" })}.${encode(claims)}`;
    return `${text}.${sign("sha256", Buffer.from(text), privateKey).toString("base64url")}`;
  };
  return { url, stop: () => application.close() };
}

describe("application with Clerk", suite, () => {
  let server, application, browser, expected;

  before(async () => {
    server = await sharedServer();
    application = await startApplication(server.url);
    await server.configure({
      VERSIONER_PUBLIC_URL: server.url,
      VERSIONER_JWT_ISSUER: application.url,
      VERSIONER_JWT_JWKS_URL: `${application.url}/.well-known/jwks.json`,
      VERSIONER_JWT_AUTHORIZED_PARTY: application.url,
      VERSIONER_SIGN_IN_URL: `${application.url}/sign-in`,
    });
    browser = await sharedBrowser();
    expected = [/401/, new RegExp(`^foreign: ${application.url}/`)];
  });

  after(async () => {
    await application?.stop();
  });

  const start = (page) => page.getByRole("button", { name: /^Continue with 127\.0\.0\.1/ }).click();
  const signIn = async (page) => {
    await start(page);
    await page.getByRole("link", { name: "Versioner" }).click();
    await page.getByRole("heading", { name: "Get started" }).waitFor();
  };

  test("signs in at the application, and leads there to sign out", () =>
    visit(browser, server, "/", { expected }, async (page, context) => {
      await signIn(page);
      const names = (await context.cookies(server.url)).map(({ name }) => name);
      assert.deepEqual(names, ["__session"]);
      await page.getByRole("button", { name: "Account menu Grace Hopper globex · admin" }).click();
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      await page.waitForURL(`${application.url}/sign-in`);
    }));

  test("keeps what was typed when the cookie has expired", () =>
    visit(browser, server, "/", { expected }, async (page, context) => {
      await signIn(page);
      await page.getByRole("link", { name: "Products" }).click();
      await page.getByRole("button", { name: "New product" }).click();
      const form = page.getByRole("dialog", { name: "New product" });
      await form.getByLabel("Name").fill("typed-before");
      await context.clearCookies();
      await form.getByRole("button", { name: "Create" }).click();
      const dialog = page.getByRole("dialog", { name: "Your session has ended" });
      const opened = context.waitForEvent("page");
      await start(dialog);
      const window = await opened;
      await window.getByRole("link", { name: "Versioner" }).waitFor();
      await window.close();
      await page.evaluate(() => dispatchEvent(new Event("focus"))); // as the window system does
      await dialog.waitFor({ state: "detached" });
      assert.equal(await form.getByLabel("Name").inputValue(), "typed-before");
      await form.getByRole("button", { name: "Create" }).click();
      await form.waitFor({ state: "detached" });
    }));
});
