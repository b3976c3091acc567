// Tests of the dashboard below a path, behind a reverse proxy that publishes the server there.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { suite, visit } from "./browser.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const PREFIX = "/versioner";
const SIGNED_OUT = [/401/];
const repository = fileURLToPath(new URL("../..", import.meta.url));

/** Starts a proxy that publishes the server at the address below the prefix. */
async function startProxy(address) {
  const folder = await mkdtemp(join(tmpdir(), "versioner-proxy-"));
  const program = join(folder, "prefixproxy");
  await promisify(execFile)("go", ["build", "-o", program, "./tools/prefixproxy"], { cwd: repository });
  const proxy = spawn(program, [address, PREFIX], { stdio: ["ignore", "pipe", "ignore"] });
  const { value: url } = await createInterface(proxy.stdout)[Symbol.asyncIterator]().next();
  const stop = async () => {
    const ended = once(proxy, "exit");
    proxy.kill();
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  return { url, stop };
}

describe("a path prefix", suite, () => {
  let proxy, server, browser;

  before(async () => {
    [server, browser] = await Promise.all([sharedServer(), sharedBrowser()]);
    proxy = await startProxy(new URL(server.url).host);
    await server.configure({ VERSIONER_PUBLIC_URL: proxy.url });
  });

  after(async () => {
    await proxy?.stop();
  });

  /** Visits a page at the public address, and requires that no request leaves the prefix. */
  const visitBehindProxy = (path, action) =>
    visit(browser, { ...server, url: proxy.url }, path, { expected: SIGNED_OUT }, async (page, context) => {
      const outside = [];
      context.on("request", (request) => request.url().startsWith(`${proxy.url}/`) || outside.push(request.url()));
      await action(page);
      assert.deepEqual(outside, []);
    });

  test("signs in by the link, loads a page, changes something and navigates", () =>
    visitBehindProxy("/start", async (page) => {
      await page.goto(server.link.replace(server.url, proxy.url));
      assert.equal(page.url(), `${proxy.url}/app/`);
      await page.getByRole("grid").waitFor();
      await page.goto(`${proxy.url}/app/start`);
      await page.getByRole("button", { name: "Create a key" }).click();
      await page.getByRole("region", { name: "API key" }).waitFor();
      await page.getByRole("link", { name: "Deployments", exact: true }).first().click();
      await page.waitForURL(`${proxy.url}/app/deployments`);
      await page.getByRole("heading", { name: "Deployments", level: 1 }).waitFor();
      await page.reload();
      await page.getByRole("heading", { name: "Deployments", level: 1 }).waitFor();
    }));

  test("signs in by the button and signs out", () =>
    visitBehindProxy("/", async (page) => {
      await page.getByRole("button", { name: "Continue as admin of demo" }).click();
      await page.getByRole("button", { name: /^Account menu/ }).click();
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      await page.waitForURL(`${proxy.url}/app/sign-in`);
      await page.getByRole("button", { name: "Continue as admin of demo" }).waitFor();
    }));

  test("redirects the links of published clients", async () => {
    const answer = await fetch(`${proxy.url}/manage/deployments`, { redirect: "manual" });
    assert.equal(answer.headers.get("location"), `${PREFIX}/app/`);
  });
});
