// Pages in the installed Chromium, which fail for what no page may do.
import assert from "node:assert/strict";
import { accessSync, constants } from "node:fs";
import { mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import axe from "axe-core";
import { chromium } from "playwright-core";

export const desk = { width: 1280, height: 800 };
export const phone = { width: 390, height: 844 };
const looks = [desk, phone].flatMap((viewport) => ["light", "dark"].map((colorScheme) => ({ viewport, colorScheme })));

/** Milliseconds until a test that waits gives up: it is for what never happens, and no bound. */
export const WAIT_LIMIT = 180_000;

/** Failures of requests to a server that is stopped, starts or stops. */
export const AWAY = [/ERR_CONNECTION|ERR_EMPTY_RESPONSE|Failed to load resource|50\d/];

// The first needs less than half of the CPU time of the others.
const programs = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of a Chromium: that in the variable CHROMIUM, else the first on the PATH. */
function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? "").split(delimiter);
  return programs.flatMap((program) => folders.map((folder) => join(folder, program))).find(isProgram);
}

const executablePath = findChromium();
const missing = "install Chromium (.ci/chromium does on Debian and Ubuntu), or name it in the variable CHROMIUM";
if (!executablePath && process.env.CI) throw new Error(missing);

/** The options of a suite of tests: skipped on machines without Chromium, never where CI is set. */
export const suite = { skip: executablePath ? false : missing };

/** Starts the browser, which reaches no other host. */
export function startBrowser() {
  return chromium.launch({ executablePath, args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"] });
}

/**
 * Opens a page of the dashboard as a user, runs the action, and requires that nothing failed: no error in the console, no exception, no
 * violation of the Content-Security-Policy, no request to another host, no answer with an error. `expected` has patterns of
 * failures that are a part of the test.
 */
export async function visit(browser, server, path, { token, expected = [], ...look }, action) {
  const extraHTTPHeaders = token && { authorization: `Bearer ${token}` }; // no other host is reached
  const context = await browser.newContext({ viewport: desk, reducedMotion: "reduce", extraHTTPHeaders, ...look });
  context.setDefaultTimeout(WAIT_LIMIT);
  try {
    const problems = [];
    const report = (problem) => expected.some((pattern) => pattern.test(problem)) || problems.push(problem);
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) =>
        console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
      );
    });
    context.on("console", (message) => message.type() === "error" && report(`console: ${message.text()}`));
    context.on("weberror", ({ error }) => report(`exception: ${error().stack}`));
    context.on("request", (request) => isForeign(request.url(), server) && report(`foreign: ${request.url()}`));
    context.on("response", (answer) => answer.status() >= 400 && report(`${answer.status()}: ${answer.url()}`));
    const page = await context.newPage();
    page.on("pageerror", (error) => report(`exception: ${error.stack}`));
    await page.goto(`${server.url}/app${path}`);
    await action(page, context);
    assert.deepEqual(problems, []);
  } finally {
    await context.close();
  }
}

function isForeign(address, server) {
  const { protocol, origin } = new URL(address);
  return !["data:", "blob:"].includes(protocol) && origin !== new URL(server.url).origin;
}

/**
 * Waits until a page shows what has just been recorded: by the first poll after the 2 seconds for which the server keeps bodies. Polls are 5
 * seconds ± 10 % apart, which the tests of polling check with a clock of their own, so that it takes less than 8 seconds on any machine.
 */
export async function showsByNextPoll(page, path, text, shown) {
  await pause(2_000);
  const isPoll = (url) => url.pathname === path;
  const answered = page.waitForResponse((answer) => isPoll(new URL(answer.url())));
  const later = [];
  let polls = 0;
  const onPoll = (route) => (polls++ === 0 ? route.continue() : later.push(route));
  await page.route(isPoll, onPoll);
  const answer = await answered;
  // 304: the page has it from the poll before.
  if (answer.status() !== 304) assert.ok(JSON.stringify(await answer.json()).includes(text), `${path} has ${text}`);
  await shown.waitFor();
  await page.unroute(isPoll, onPoll);
  await Promise.all(later.map((route) => route.continue()));
}

/** The cell of a product and an environment in the matrix, by their names: other suites add environments. */
export async function cellOf(page, product, environment) {
  const header = page.getByRole("columnheader", { name: environment, exact: true });
  const column = await header.getAttribute("aria-colindex");
  return page
    .getByRole("row")
    .filter({ has: page.getByRole("rowheader", { name: product, exact: true }) })
    .locator(`[role=gridcell][aria-colindex="${column}"]`);
}

/** Waits until a control has the keyboard focus. */
export const waitForFocus = (control) => control.and(control.page().locator(":focus")).waitFor();

/** Keeps a picture of the page in the directory of the variable SCREENSHOTS, if it is set. */
export async function keepPicture(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

// The rules of axe-core whose result depends on colours; that of all others is the same in light and dark.
const colourRules = ["color-contrast", "link-in-text-block"];

/** Requires that axe-core finds nothing serious or critical, of these rules if named, and that the page is not wider than the window. */
export async function assertAccessible(page, rules) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  const options = { resultTypes: ["violations"], ...(rules && { runOnly: rules }) };
  const { violations } = await page.evaluate((options) => window.axe.run(document, options), options);
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  assert.deepEqual(
    grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`),
    [],
  );
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px wider than the window`);
}

/** Requires that the page is accessible on desks and phones, in light and dark; keeps pictures, and leaves it as on a light desk. */
export async function assertAccessibleInEveryLook(page, name) {
  for (const { viewport, colorScheme } of looks) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    await keepPicture(page, `${name}-${viewport.width}-${colorScheme}`);
    await assertAccessible(page, colorScheme === "dark" ? colourRules : undefined);
  }
  await page.setViewportSize(desk);
  await page.emulateMedia({ colorScheme: "light" });
}

/**
 * Submits a form of the page while the server is stopped, and requires that the reason and the age of the data are shown and that page and form
 * keep their content. Then it starts the server again, and submits the form once more.
 */
export async function submitWithoutServer(page, server, form, picture) {
  const submit = form.getByRole("button", { name: "Create", exact: true });
  const age = page.getByText(/These data are .* old/);
  const texts = () => form.getByRole("textbox").evaluateAll((fields) => fields.map(({ value }) => value));
  const typed = await texts();
  const items = await page.getByRole("listitem").count();
  assert.ok(items > 0 && typed.some(Boolean));
  await server.end();
  try {
    await submit.click();
    await form.getByRole("alert").getByText("The server does not answer").waitFor();
    await age.waitFor();
    assert.deepEqual(await texts(), typed);
    assert.equal(await page.getByRole("listitem").count(), items, "the page keeps its data");
    await keepPicture(page, picture);
  } finally {
    await server.restart();
  }
  await age.waitFor({ state: "detached" });
  await submit.click();
}
