// Compares the first paint of the dashboard, with the sample data and a warm cache, with that of a static page of the same server: the
// ratio of both in each of several runs, in turns. `make bench-dashboard` runs it.
import { startBrowser } from "../tests/browser.js";
import { startServer } from "../tests/server.js";

const RUNS = 11;
const BUDGET = 3; // times the static page

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

function summary(ratios) {
  const sorted = ratios.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))].toFixed(2);
  return `median ${at(0.5)}, quartiles ${at(0.25)} and ${at(0.75)}, from ${at(0)} to ${at(1)}`;
}

const [server, browser] = await Promise.all([startServer({ demo: true }), startBrowser()]);
try {
  const context = await browser.newContext();
  await context.addInitScript(observeData);
  const page = await context.newPage();
  await page.goto(server.link);
  const [first, data, times] = [[], [], []];
  for (let run = -1; run < RUNS; run++) {
    const fixed = await firstPaint(page, `${server.url}/`);
    const paint = await firstPaint(page, `${server.url}/app/`);
    const shown = await dataPaint(page);
    if (run < 0) continue; // fills the cache
    first.push(paint / fixed);
    data.push(shown / fixed);
    times.push(fixed);
  }
  const median = times.toSorted((a, b) => a - b)[Math.floor(RUNS / 2)];
  console.log(`${RUNS} runs; static page: median ${median.toFixed(0)} ms`);
  console.log(`first paint of the dashboard / static page: ${summary(first)} (budget ${BUDGET})`);
  console.log(`first row of data / static page:            ${summary(data)}`);
} finally {
  await browser.close();
  await server.stop();
}
