// Tests of every page of the router: the size of its targets, and its width at 200 and 400 % zoom.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, test } from "node:test";

import { desk, keepPicture, phone, suite, visit } from "./browser.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

/** The smallest width and height of a target, in CSS pixels (success criterion 2.5.8 of WCAG 2.2). */
const SMALLEST = 24;

/** Windows of 1,280 × 1,024 pixels at 200 and 400 %: zooming leaves a page that many CSS pixels. */
const ZOOMED = { "200 %": { width: 640, height: 512 }, "400 %": { width: 320, height: 256 } };

const source = await readFile(new URL("../src/router.tsx", import.meta.url), "utf8");
const paths = [...source.matchAll(/(?:\broute\(|\bpath: )"(\/[^"]*)"/g)].map(([, path]) => path);

/** Pages that differ by their address. */
const views = ["/deployment-requests?view=board"];

/** Pages that leave at once. */
const LEAVING = ["/signed-in"];

describe("every page", suite, () => {
  let server, browser, token;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    token = await server.token();
    await callServer(server, token, "POST", "/deployment-rules/", {
      name: "Every page",
      rule_type: "concurrency",
      mode: "disabled",
      concurrency: { max_in_progress: 3 },
    });
    await callServer(server, token, "POST", "/deployment-requests/", {
      name: "Every page",
      approvals: [{ approval_type: "qa" }],
      steps: [{ phase: "pre", title: "Announce the deployment" }],
    });
    await callServer(server, token, "POST", "/deployment-request-templates/", { name: "Every page" });
  });

  /** The address of a page; of an object, that of the first in its list. */
  async function addressOf(path) {
    if (!path.includes("$id")) return path;
    const list = path.replace("/$id", "").replace("/rules", "/deployment-rules");
    const { items } = await callServer(server, token, "GET", `${list}/?limit=1`);
    return path.replace("$id", items[0].id);
  }

  test("finds the pages of the router", () => assert.ok(paths.length >= 29 && paths.includes("/"), paths.join()));

  for (const path of [...paths, ...views].filter((path) => !LEAVING.includes(path))) {
    test(`${path}: targets are large enough, and zooming does not make the page scroll sideways`, async () => {
      const address = await addressOf(path);
      await visit(browser, server, address, { token }, async (page) => {
        for (const viewport of [desk, phone]) {
          await page.setViewportSize(viewport);
          await page.getByRole("heading", { level: 1 }).waitFor();
          await page.locator("[aria-label=Loading]").first().waitFor({ state: "detached" });
          await page.waitForLoadState("networkidle");
          await page.evaluate(openAll);
          assert.deepEqual(await page.evaluate(smallTargets, SMALLEST), [], `at ${viewport.width} px`);
        }
        for (const [zoom, viewport] of Object.entries(ZOOMED)) {
          await page.setViewportSize(viewport);
          await page.evaluate(
            () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
          );
          await keepPicture(page, `zoom-${viewport.width}${path.replaceAll("/", "-").replace(/[$?]/, "")}`);
          assert.deepEqual(await page.evaluate(overflow), [], `at ${zoom}`);
        }
      });
    });
  }

  const overlays = {
    "the panel of a cell": ["/", (page) => page.getByRole("gridcell").first().click()],
    "the search": ["/", (page) => page.keyboard.press("Control+k")],
    "the shortcuts": ["/", (page) => page.keyboard.press("?")],
    "the account menu": ["/", (page) => page.getByRole("button", { name: /^Account menu/ }).click(), "menu"],
    "the form of a key": ["/settings/keys", (page) => page.getByRole("button", { name: "Create a key" }).click()],
    "the form of a rule": ["/rules", (page) => page.getByRole("button", { name: "New rule" }).click()],
    "the form of a request": [
      "/deployment-requests",
      async (page) => {
        await page.getByRole("button", { name: "New request" }).click();
        await page.getByRole("button", { name: "Continue" }).click();
      },
    ],
    "the form of a request template": [
      "/deployment-requests/templates",
      async (page) => {
        await page.getByRole("button", { name: "New template" }).click();
        for (let steps = 0; steps < 2; steps++) await page.getByRole("button", { name: "Add a step" }).click();
      },
    ],
    "the form of a release": ["/releases", (page) => page.getByRole("button", { name: "New release" }).click()],
    "the subscriptions of the calendar": [
      "/calendar",
      (page) => page.getByRole("button", { name: "Subscribe" }).click(),
    ],
  };

  for (const [name, [path, open, role = "dialog"]] of Object.entries(overlays)) {
    test(`${name}: targets are large enough, and zooming cuts nothing off`, () =>
      visit(browser, server, path, { token }, async (page) => {
        await page.getByRole("heading", { level: 1 }).waitFor();
        await page.locator("[aria-label=Loading]").first().waitFor({ state: "detached" });
        await open(page);
        const overlay = page.getByRole(role).first();
        await overlay.waitFor();
        await page.waitForLoadState("networkidle");
        assert.deepEqual(await page.evaluate(smallTargets, SMALLEST), []);
        for (const [zoom, viewport] of Object.entries(ZOOMED)) {
          await page.setViewportSize(viewport);
          await page.evaluate(
            () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
          );
          await keepPicture(page, `zoom-${viewport.width}-${name.replaceAll(" ", "-")}`);
          if (role === "menu") continue; // it closes, as its button may have moved
          const { x, width } = await overlay.boundingBox();
          assert.ok(x >= 0 && x + width <= viewport.width, `at ${zoom}`);
        }
      }));
  }
});

/** Runs in the page: opens what is folded. */
async function openAll() {
  for (const details of document.querySelectorAll("details")) details.open = true;
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
}

/**
 * Runs in the page: the targets that are smaller, with their text and size. A box and its label are one target. Smaller are permitted, as in
 * WCAG: links within a sentence, and those for which the page has another link of the size; and what only screen readers have.
 */
function smallTargets(smallest) {
  const selector =
    "a[href], button, input, select, textarea, summary, [role=option], [role=menuitem], [role=gridcell], [role=rowheader], [draggable=true], [tabindex='0']";
  const isInSentence = (element) => {
    if (getComputedStyle(element).display !== "inline") return false;
    const own = element.textContent.trim();
    return [...element.parentElement.childNodes].some(
      (node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== "" && node.textContent.trim() !== own,
    );
  };
  const boxOf = (element) => {
    const boxes = [element, ...(element.labels ?? [])].map((part) => part.getBoundingClientRect());
    const [left, top] = [Math.min(...boxes.map((box) => box.left)), Math.min(...boxes.map((box) => box.top))];
    const [right, bottom] = [Math.max(...boxes.map((box) => box.right)), Math.max(...boxes.map((box) => box.bottom))];
    return { width: right - left, height: bottom - top };
  };
  const isSmall = ({ width, height }) => width < smallest || height < smallest;
  const targets = [...document.querySelectorAll(selector)]
    .filter((element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
    .filter((element) => !element.disabled && !element.closest(".sr-only, [class*='sr-only focus:'], [inert]"))
    .filter((element) => !isInSentence(element));
  const small = targets
    .map((element) => ({ element, box: boxOf(element) }))
    .filter(({ box }) => box.width > 0 && box.height > 0 && isSmall(box))
    .filter(
      ({ element }) => !targets.some((other) => element.href && other.href === element.href && !isSmall(boxOf(other))),
    );
  const texts = small.map(({ element, box }) => {
    const text = (element.getAttribute("aria-label") ?? element.textContent ?? "").trim().slice(0, 40);
    return `${element.tagName} "${text}" ${box.width.toFixed(1)} × ${box.height.toFixed(1)}`;
  });
  return [...new Set(texts)];
}

/** Runs in the page: the elements that make the page wider than the window, which scroll with it. */
function overflow() {
  if (document.documentElement.scrollWidth <= innerWidth) return [];
  const isInScroller = (element) => {
    for (let at = element.parentElement; at; at = at.parentElement) {
      if (getComputedStyle(at).overflowX !== "visible") return true;
    }
    return false;
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5 && !isInScroller(element))
    .map((element) => `${element.tagName} "${element.textContent.trim().slice(0, 40)}" .${element.className}`)
    .concat(`the page is ${document.documentElement.scrollWidth - innerWidth} px wider than the window`);
}
