// The server and the browser of the suites in a process: starting them costs more than most tests.
import { after } from "node:test";

import { startBrowser } from "./browser.js";
import { startServer } from "./server.js";

let server, browser;

after(async () => {
  await (await browser)?.close();
  await (await server)?.stop();
});

/**
 * The server, whose account `demo` has the sample data and what earlier suites have recorded. It restarts if the settings of the suite
 * differ from those of the suite before.
 */
export async function sharedServer(settings = {}) {
  server ??= startServer({ demo: true });
  const started = await server;
  await started.configure(settings);
  return started;
}

export function sharedBrowser() {
  return (browser ??= startBrowser());
}
