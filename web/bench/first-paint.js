// Compares paints of the dashboard with those of smaller pages of the same server, in turns: ratios do not depend on the machine. It fails if the
// median ratio of several runs is above its budget. `make bench-dashboard` runs it.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

import { startBrowser } from "../tests/browser.js";
import { grid, timeToFrame, withList } from "../tests/matrix-list.js";
import { startServer } from "../tests/server.js";

const RUNS = 11;

/** The most that the median of the ratios may be. */
const BUDGETS = { first: 3, data: 3, matrix: 10 };

/** Records when the first row of data is painted. */
function observeData() {
  const observer = new MutationObserver(() => {
    if (!document.querySelector("[role=rowheader]")) return;
    observer.disconnect();
    requestAnimationFrame(() =>
      setTimeout(() => {
        window.dataPaint = performance.now();
      }),
    );
  });
  observer.observe(document, { subtree: true, childList: true });
}

/** Returns the milliseconds from the start of the navigation to the first paint of content. */
async function firstPaint(page, address) {
  await page.goto(address);
  return page.evaluate(
    () =>
      new Promise((resolve) => {
        new PerformanceObserver((list) => {
          const [paint] = list.getEntriesByName("first-contentful-paint");
          if (paint) resolve(paint.startTime);
        }).observe({ type: "paint", buffered: true });
      }),
  );
}

async function dataPaint(page) {
  return (await page.waitForFunction(() => window.dataPaint)).jsonValue();
}

/** Runs in the page: what it shows as a static page, and how many bytes it and all that it has loaded have. */
function asStaticPage() {
  const document = window.document.cloneNode(true);
  for (const element of document.querySelectorAll("script, link")) element.remove();
  const style = document.createElement("style");
  style.textContent = [...window.document.styleSheets]
    .flatMap((sheet) => [...sheet.cssRules].map(({ cssText }) => cssText))
    .join("\n");
  document.head.append(style);
  const parts = ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type));
  return {
    html: `<!doctype html>${document.documentElement.outerHTML}`,
    bytes: parts.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
  };
}

/** Serves a page with the same content and at least as many bytes as the dashboard. */
async function serveStaticPage({ html, bytes }) {
  const padding = Math.max(0, bytes - html.length);
  const body = `${html}<!--${randomBytes(padding).toString("base64").slice(0, padding)}-->`;
  const listener = createServer((_, answer) =>
    answer.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache" }).end(body),
  ).listen(0, "127.0.0.1");
  await once(listener, "listening");
  return { url: `http://127.0.0.1:${listener.address().port}/`, bytes: body.length, stop: () => listener.close() };
}

/**
 * Returns the ratios of the first paint of the dashboard to that of the start page, which has fewer bytes, and of its first row of data to the first
 * paint of a static page with its content and bytes; the cache is warm.
 */
async function ratiosToStaticPages(browser, server) {
  const context = await browser.newContext();
  await context.addInitScript(observeData);
  const page = await context.newPage();
  await page.goto(server.link);
  await dataPaint(page);
  const same = await serveStaticPage(await page.evaluate(asStaticPage));
  const [first, data, times] = [[], [], []];
  for (let run = -1; run < RUNS; run++) {
    const fixed = await firstPaint(page, `${server.url}/`);
    const paint = await firstPaint(page, `${server.url}/app/`);
    const shown = await dataPaint(page);
    const alike = await firstPaint(page, same.url);
    if (run < 0) continue; // fills the cache
    first.push(paint / fixed);
    data.push(shown / alike);
    times.push([fixed, alike]);
  }
  await context.close();
  same.stop();
  const [small, large] = [0, 1].map((index) => medianOf(times.map((pair) => pair[index])).toFixed(0));
  console.log(`${RUNS} runs; medians: start page ${small} ms, static page of ${same.bytes} bytes ${large} ms`);
  return { first, data };
}

/** Returns the ratios of the time from 500 products in 8 environments to their paint, to the time from scripts to that of an empty page. */
async function ratiosOfMatrix(browser, server) {
  const ratios = [];
  await withList({ browser, server, token: await server.token() }, grid(500, 8), async (page) => {
    const paint = async (path, selector, resource) => {
      await page.goto(`${server.url}/app${path}`);
      return page.evaluate(timeToFrame, { selector, resource });
    };
    for (let run = -1; run < RUNS; run++) {
      const empty = await paint("/no-such-page", "main h1", ".js");
      const full = await paint("/", "[role=gridcell]", "/environment-state/");
      if (run >= 0) ratios.push(full / empty);
    }
  });
  return ratios;
}

const at = (numbers, share) => numbers.toSorted((a, b) => a - b)[Math.round(share * (numbers.length - 1))];
const medianOf = (numbers) => at(numbers, 0.5);

function report(name, ratios, budget) {
  const [least, lower, median, upper, most] = [0, 0.25, 0.5, 0.75, 1].map((share) => at(ratios, share).toFixed(2));
  console.log(
    `${name}: median ${median}, quartiles ${lower} and ${upper}, from ${least} to ${most} (budget ${budget})`,
  );
  if (medianOf(ratios) <= budget) return;
  console.error(`${name}: the median ${median} is above the budget of ${budget}`);
  process.exitCode = 1;
}

const [server, browser] = await Promise.all([startServer({ demo: true }), startBrowser()]);
try {
  const { first, data } = await ratiosToStaticPages(browser, server);
  report("first paint of the dashboard / start page", first, BUDGETS.first);
  report("first row of data / static page of equal content and bytes", data, BUDGETS.data);
  report("500 products in 8 environments / empty page", await ratiosOfMatrix(browser, server), BUDGETS.matrix);
} finally {
  await browser.close();
  await server.stop();
}
