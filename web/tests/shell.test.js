// Tests of the frame of all pages.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { keepPicture, suite, visit, waitForFocus } from "./browser.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

describe("shell", suite, () => {
  let server, browser, token;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    token = await server.token();
  });

  test("leads from an unknown address to the overview", () =>
    visit(browser, server, "/nowhere", { token }, async (page) => {
      await page.getByRole("heading", { name: "Not found" }).waitFor();
      await page.getByRole("link", { name: "Go to the overview" }).click();
      await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    }));

  /** Returns a version of the product that no other product has. */
  async function versionOf(product) {
    const { items } = await callServer(server, token, "GET", `/versions/?limit=50&product=${product}`);
    for (const { version } of items) {
      const found = await callServer(server, token, "GET", `/versions/?q=${encodeURIComponent(version)}`);
      if (found.items.length === 1) return version;
    }
    throw new Error(`every version of ${product} is one of another product, too`);
  }

  test("takes what is typed into the palette at once, and finds objects of each kind", () =>
    visit(browser, server, "/", { token }, async (page) => {
      await page.getByRole("grid").waitFor();
      const version = await versionOf("cart-service");
      const named = new RegExp(`^cart-service ${version.replaceAll(".", "\\.")}.*Version$`);
      const { items: releases } = await callServer(server, token, "GET", "/releases/?limit=1");
      const palette = page.getByRole("dialog", { name: "Search" });
      for (const [text, option] of [
        ["cart-service", /^cart-service.*Product$/],
        ["staging", /^staging.*Environment$/],
        [version, /^cart-service .*Version$/],
        [`cart-service ${version}`, named],
        [`${version} SERVICE cart`, named],
        [releases[0].name, /Release$/],
      ]) {
        await page.keyboard.press("Control+k");
        await page.keyboard.type(text);
        await palette.getByRole("option", { name: option }).first().waitFor();
        await page.keyboard.press("Escape");
        await palette.waitFor({ state: "detached" });
      }
    }));

  test("finds the name itself among many that contain it, and versions of products by words, once typing pauses", async () => {
    const call = (method, path, body, key = token) => callServer(server, key, method, path, body);
    const names = [...Array.from({ length: 9 }, (_, number) => `a${number} gateway`), "api gateway", "gateway"];
    await call("POST", "/version-events/", { product_name: "api gateway", version: "1.2-palette" }, server.key);
    for (const name of names.filter((one) => one !== "api gateway")) await call("POST", "/products/", { name });
    await visit(browser, server, "/", { token }, async (page) => {
      await page.getByRole("grid").waitFor();
      await page.keyboard.press("Control+k");
      const palette = page.getByRole("dialog", { name: "Search" });
      const input = palette.getByRole("combobox");
      for (const [text, name] of [
        ["gateway", /^gateway\s*Product$/],
        ["api gateway 1.2", /^api gateway 1\.2-palette\s*Version$/],
        ["1.2 of api gateway", /^api gateway 1\.2-palette\s*Version$/],
      ]) {
        await input.fill(text);
        await palette.getByRole("option", { name }).waitFor();
      }
      await page.clock.install();
      await page.clock.pauseAt(await page.evaluate(() => Date.now() + 10_000)); // from here on, time passes by steps only
      const asked = [];
      page.on("request", (request) => {
        const url = new URL(request.url());
        if (url.pathname === "/environments/") asked.push(url.searchParams.get("q"));
      });
      for (const text of ["sta", "stag", "stagin"]) {
        await input.fill(text);
        await page.clock.runFor(60);
      }
      await page.clock.resume();
      await palette.getByRole("option", { name: /^staging.*Environment$/ }).waitFor();
      assert.deepEqual(asked, ["stagin"]);
    });
    const { items } = await call("GET", "/products/?q=gateway&limit=200");
    for (const { id, name } of items) if (names.includes(name)) await call("DELETE", `/products/${id}`);
  });

  test("names each entry of the navigation once, groups included", () =>
    visit(browser, server, "/", { token }, async (page) => {
      const entries = page.getByRole("navigation", { name: "Pages" });
      await entries.getByRole("link", { name: "Governance settings", exact: true }).waitFor();
      const names = await entries.locator("a, h2").allInnerTexts();
      assert.equal(new Set(names).size, names.length);
    }));

  test("puts the focus into the first field of a form", () =>
    visit(browser, server, "/products", { token }, async (page) => {
      await page.getByRole("button", { name: "New product" }).click();
      const name = page.getByRole("dialog", { name: "New product" }).getByLabel("Name");
      await name.waitFor();
      assert.ok(await name.evaluate((field) => field === document.activeElement));
    }));

  test("opens the palette, the list of shortcuts and the account menu", () =>
    visit(browser, server, "/", { token }, async (page) => {
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.keyboard.press("Control+k");
      const palette = page.getByRole("dialog", { name: "Search" });
      await palette.getByRole("combobox").fill("cart");
      await palette
        .getByRole("option", { name: /cart-service.*Product/ })
        .first()
        .waitFor();
      await keepPicture(page, "palette");
      await page.keyboard.press("Escape");
      await palette.waitFor({ state: "detached" });
      await page.keyboard.press("?");
      const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
      await help.getByLabel("Shortcuts without Ctrl").uncheck();
      await page.keyboard.press("Escape");
      await page.keyboard.press("?");
      assert.equal(await help.count(), 0, "letters are switched off");
      const account = page.getByRole("button", { name: /^Account menu/ });
      await account.press("Enter");
      await waitForFocus(page.getByRole("menuitemradio").first());
      await page.keyboard.press("Tab");
      await page.getByRole("menu").waitFor({ state: "hidden" });
      assert.equal(await account.and(page.locator(":focus")).count(), 0, "the focus goes on");
      await account.click();
      await page.getByRole("menuitemradio", { name: "Dark" }).click();
      await keepPicture(page, "account-menu");
      const background = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      assert.equal(background, "rgb(15, 18, 20)");
    }));
});
