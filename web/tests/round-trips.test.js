// The number of round trips before the first page shows data: what a slow network multiplies.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { before, describe, test } from "node:test";

import { suite } from "./browser.js";
import { sharedBrowser, sharedServer } from "./shared.js";

/** After this long without a request, all that do not depend on the held answers have been sent. */
const QUIET = 1_000;

describe("round trips", suite, () => {
  let server, browser;

  before(async () => {
    [server, browser] = await Promise.all([sharedServer(), sharedBrowser()]);
  });

  /** Opens a page and holds all requests until no more are sent, again and again: the requests of each round trip. */
  async function roundTrips(page, address, isShown) {
    const trips = [];
    let held = [];
    let last = Date.now();
    await page.route("**/*", (route) => {
      held.push(route);
      last = Date.now();
    });
    const opened = page.goto(address, { waitUntil: "commit", timeout: 0 });
    while (trips.length < 10) {
      if (trips.length > 0) {
        await opened; // until then, the page cannot be asked
        if (await isShown()) break;
      }
      if (held.length === 0 || Date.now() - last < QUIET) {
        await pause(50);
        continue;
      }
      const trip = held;
      held = [];
      trips.push(trip.map((route) => new URL(route.request().url()).pathname));
      await Promise.all(trip.map((route) => route.continue()));
    }
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await Promise.all(held.map((route) => route.continue().catch(() => {})));
    return trips;
  }

  test("shows the environments after the page, its scripts and its data", async () => {
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(server.link);
      await page.goto("about:blank");
      const trips = await roundTrips(page, `${server.url}/app/`, () =>
        page
          .getByRole("rowheader")
          .first()
          .isVisible()
          .catch(() => false),
      );
      assert.ok(trips.length <= 3, JSON.stringify(trips, null, 1));
    } finally {
      await context.close();
    }
  });
});
