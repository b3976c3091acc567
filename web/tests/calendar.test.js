// Tests of the deployment calendar: month, week, keyboard, filters, subscriptions, and imports into a rule.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { assertAccessible, assertAccessibleInEveryLook, keepPicture, phone, suite, visit } from "./browser.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const event = (uid, ...lines) =>
  ["BEGIN:VEVENT", `UID:${uid}`, "DTSTAMP:20261123T160000Z", ...lines, "END:VEVENT"].join("\r\n");
const file = (...events) => ({
  name: "holidays.ics",
  mimeType: "text/calendar",
  buffer: Buffer.from(
    ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", ...events, "END:VCALENDAR", ""].join("\r\n"),
  ),
});

describe("calendar", suite, () => {
  let server, browser, admin, developer, viewer, freeze, sprint;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    [admin, developer, viewer] = await Promise.all(["admin", "developer", "viewer"].map((role) => server.token(role)));
    const first = { product_name: "planned", version: "1", environment_name: "reserve-live", status: "completed" };
    await call("POST", "/deployment-events/", first, server.key);
    const schedule = (name, mode, windows, products) =>
      call("POST", "/deployment-rules/", {
        name,
        rule_type: "schedule",
        mode,
        scope: { products },
        schedule: { timezone: "UTC", windows },
      });
    const window = { effect: "deny", reason: "Peak season" };
    freeze = await schedule(
      "Planned freeze",
      "enabled",
      [{ ...window, name: "christmas", start: "2030-12-20T18:00", end: "2031-01-03T06:00" }],
      ["planned"],
    );
    sprint = await schedule(
      "Planned sprints",
      "report_only",
      [
        { ...window, name: "friday", start: "2030-11-29T16:00", end: "2030-11-29T20:00", rrule: "FREQ=WEEKLY" },
        { ...window, effect: "allow", name: "office", start: "2030-12-02T08:00", end: "2030-12-02T17:00" },
      ],
      ["another product"],
    );
  });

  const call = (method, path, body, token = admin) => callServer(server, token, method, path, body);
  const day = (page, key) => page.locator(`[data-day="${key}"]`);
  const focused = (page, key) =>
    page.waitForFunction((key) => document.activeElement?.getAttribute("data-day") === key, key);

  test("shows the windows of a month and a week, and moves by keyboard", () =>
    visit(browser, server, "/calendar?date=2030-12-24", { token: viewer, timezoneId: "UTC" }, async (page) => {
      await page.getByRole("heading", { name: "December 2030" }).waitFor();
      await day(page, "2030-12-24").getByText("christmas").waitFor();
      await day(page, "2030-12-20").getByText("06:00 PM –").waitFor();
      await day(page, "2030-12-20").locator("li", { hasText: "friday" }).getByText("only reported").waitFor();
      await day(page, "2031-01-03").getByText("– 06:00 AM").waitFor();
      await page.getByText("Your role may not subscribe to the calendar").waitFor();
      await assertAccessibleInEveryLook(page, "calendar");

      await day(page, "2030-12-24").focus();
      for (const [key, expected] of [
        ["ArrowRight", "2030-12-25"],
        ["ArrowUp", "2030-12-18"],
        ["End", "2030-12-22"],
        ["Home", "2030-12-16"],
        ["PageDown", "2031-01-16"],
        ["PageUp", "2030-12-16"],
        ["ArrowLeft", "2030-12-15"],
      ]) {
        await page.keyboard.press(key);
        await focused(page, expected);
      }
      await page.waitForURL(/date=2030-12-15/);
      await day(page, "2030-12-20").click({ position: { x: 12, y: 12 } });
      const dialog = page.getByRole("dialog", { name: "Friday, December 20, 2030" });
      await dialog.getByRole("listitem").filter({ hasText: "friday" }).getByText("!reports only").waitFor();
      await dialog.getByText("Peak season").first().waitFor();
      await assertAccessible(page);
      await keepPicture(page, "calendar-day");
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });

      await page.getByRole("button", { name: "Next month" }).click();
      await page.getByRole("heading", { name: "January 2031" }).waitFor();
      await page.getByRole("button", { name: "Previous month" }).click();
      await page.getByRole("button", { name: "Week" }).click();
      await page.waitForURL(/view=week/);
      assert.equal(await page.getByRole("gridcell").count(), 7);
      await page.getByRole("button", { name: "Previous week" }).click();
      await day(page, "2030-12-02").getByText("deployments allowed, only reported").waitFor();
      await assertAccessibleInEveryLook(page, "calendar-week");
      await page.getByRole("button", { name: "Today" }).click();
      await page.locator("[role=gridcell][aria-current=date]").waitFor();
      assert.ok(!page.url().includes("date="));
    }));

  test("names what closes next, and leads from windows to their rules", async () => {
    const at = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 16);
    const name = `Next freeze ${"with a long name ".repeat(4).trim()}`;
    const rule = (body) => call("POST", "/deployment-rules/", { rule_type: "schedule", ...body });
    const windows = [{ effect: "deny", name, start: at(3.5), end: at(4), reason: null }];
    const scope = { products: ["planned-next"], environments: ["reserve-live"] };
    const reported = { name: "Reported earlier", mode: "report_only", scope };
    const rules = [
      await rule({ name: "Next rule", scope, schedule: { timezone: "UTC", windows } }),
      await rule({
        ...reported,
        schedule: { timezone: "UTC", windows: [{ ...windows[0], start: at(1), end: at(2) }] },
      }),
    ];
    const path = `/calendar?product=planned-next&date=${at(3.5).slice(0, 10)}`;
    await visit(browser, server, path, { token: viewer, timezoneId: "UTC" }, async (page) => {
      const next = page.getByRole("group", { name: "Next" });
      await next.getByText(/^Next: Next rule, in 3 d, reserve-live: planned-next/).waitFor();
      assert.ok(await next.evaluate((one) => one.scrollWidth <= one.clientWidth), "the line wraps and is not cut");
      const entry = day(page, at(3.5).slice(0, 10)).getByRole("link").filter({ hasText: "Next freeze" });
      await entry.getByText("reserve-live: planned-next").waitFor();
      assert.match(
        await entry.getAttribute("title"),
        new RegExp(`^${name}, .*planned-next in reserve-live .Next rule`),
      );
      const line = entry.locator("span").first();
      assert.ok(await line.evaluate((one) => one.scrollWidth > one.clientWidth), "a long name is cut");
      await assertAccessibleInEveryLook(page, "calendar-next");
      await page.getByRole("button", { name: "Week" }).click();
      await page.locator("[role=gridcell]").nth(7).waitFor({ state: "detached" });
      assert.ok(
        await line.evaluate((one) => one.scrollWidth <= one.clientWidth),
        "a week has room for the name and time",
      );
      await page.getByRole("button", { name: "Month" }).click();
      await entry.click();
      await page.waitForURL(new RegExp(`/rules/${rules[0].id}$`));
      await page.goBack();
      await next.getByRole("link", { name: "Next rule" }).click();
      await page.waitForURL(new RegExp(`/rules/${rules[0].id}$`));
    });
    const allow = [{ ...windows[0], effect: "allow", name: "office", start: at(-0.5), end: at(0.5) }];
    await call("PATCH", `/deployment-rules/${rules[0].id}`, { schedule: { timezone: "UTC", windows: allow } });
    await visit(browser, server, path, { token: viewer, viewport: phone }, async (page) => {
      await page.getByText(/^Next: Next rule closes a window, in 1[12] h, reserve-live/).waitFor();
      await call("PATCH", `/deployment-rules/${rules[0].id}`, { mode: "disabled" });
      await page.reload();
      await page.getByText("Next: no rule begins to block deployments within a year.").waitFor();
    });
    for (const { id } of rules) await call("DELETE", `/deployment-rules/${id}`);
  });

  test("names what blocks now, and the end of allowed times as a whole", async () => {
    const HOUR = 3_600_000;
    const start = Math.floor(Date.now() / HOUR) * HOUR;
    const at = (hours) => new Date(start + hours * HOUR).toISOString();
    const scope = { products: [], environments: ["live"], environment_types: [] };
    const item = (effect, from, until, more) => ({
      rule_id: "01a2092a-5c1e-7d41-8f0a-3b6c9e2d7f15",
      rule_name: "A rule",
      mode: "enabled",
      effect,
      window_name: `${effect} ${from}`,
      reason: null,
      starts_at: at(from),
      ends_at: at(until),
      scope,
      ...more,
    });
    const other = { rule_id: "01a2092a-5c1e-7d41-8f0a-3b6c9e2d7f16", rule_name: "Another" };
    const none = "Next: no rule begins to block deployments within a year.";
    const many = "Next: there are too many windows. Filter by product or environment.";
    const time = String.raw`[A-Z][a-z]+ \d+, \d{4}, \d+:\d\d\s[AP]M`;
    const cases = [
      { items: [], shown: [none] },
      { items: [], truncated: true, shown: [many] },
      { items: [item("deny", -5, 30)], shown: [RegExp(`^Now: A rule blocks until ${time}, live \\(deny -5, `)] },
      { items: [item("deny", -5, 30, { mode: "report_only" })], shown: [none] },
      {
        items: [item("deny", -5, 30), item("deny", -4, 50, other), item("deny", 60, 70)],
        shown: [/^Now: Another blocks until /, /^Next: A rule, in 2 d, live \(deny 60, /],
      },
      { items: [item("allow", -9, -5)], shown: [/^Now: A rule blocks until at least .*\(outside of its windows\)$/] },
      {
        items: [item("allow", 30, 40)],
        shown: [
          /^Now: A rule blocks until (?!at least).*\(outside/,
          /^Next: A rule closes a window, in 1 d, live \(allow 30, /,
        ],
      },
      {
        items: [item("allow", -9, 30), item("allow", 24, 54), item("allow", 25, 26), item("allow", 54, 78)],
        shown: [/^Next: A rule closes a window, in 3 d, live \(allow 54, /],
      },
      { items: [item("allow", -9, 9_000)], shown: [none] },
      {
        items: [item("allow", -9, 50), item("deny", 40, 50), item("deny", 45, 49)],
        shown: [/^Next: A rule, in 1 d, /],
      },
      { items: [item("allow", -9, 50), item("allow", 40, 60)], truncated: true, shown: [many] },
      {
        items: [item("deny", -5, 50), item("deny", 40, 60)],
        truncated: true,
        shown: [/^Now: A rule blocks until at least /],
      },
    ];
    await visit(browser, server, "/calendar", { token: viewer, timezoneId: "UTC" }, async (page) => {
      let answer;
      await page.route(
        (url) => url.pathname === "/deployment-calendar/",
        (route) => route.fulfill({ json: answer }),
      );
      for (const [number, { items, truncated = false, shown }] of cases.entries()) {
        answer = { items, truncated };
        await page.reload();
        for (const text of shown) await page.locator("p").filter({ hasText: text }).waitFor();
        assert.equal(
          await page
            .locator("p")
            .filter({ hasText: /^(Now|Next): / })
            .count(),
          shown.length,
          `case ${number}`,
        );
        if (shown.length === 2) await assertAccessibleInEveryLook(page, `calendar-now-${number}`);
      }
    });
  });

  test("filters by product in the address, and is a list on phones", () =>
    visit(
      browser,
      server,
      "/calendar?date=2030-12-24&product=planned",
      { token: developer, timezoneId: "UTC", viewport: phone },
      async (page) => {
        const list = page.getByRole("list", { name: "Days with windows" });
        await list.getByText("christmas").first().waitFor();
        assert.equal(await list.getByText("friday", { exact: true }).count(), 0, "of another product");
        assert.equal(await page.getByRole("grid").count(), 0);
        await page.getByRole("button", { name: "Friday, December 20, 2030" }).click();
        await page.getByRole("dialog").getByRole("link", { name: "Planned freeze" }).waitFor();
        await page.keyboard.press("Escape");
        await page.getByRole("button", { name: "Clear" }).click();
        await list.getByText("friday", { exact: true }).first().waitFor();
        await page.waitForURL(/calendar\?date=2030-12-24$/);
        await page.getByLabel("Environment").fill("reserve-live");
        await page.waitForURL(/environment=reserve-live/);
      },
    ));

  test("shows the address of a subscription once, which works until it is revoked", () =>
    visit(browser, server, "/calendar", { token: developer }, async (page) => {
      await page.getByRole("button", { name: "Subscribe" }).click();
      await page.getByRole("heading", { name: "No address yet" }).waitFor();
      await page.getByRole("button", { name: "Create an address" }).click();
      await page.getByRole("dialog").getByLabel("Name").fill("team calendar");
      await page.getByRole("button", { name: "Create", exact: true }).click();
      const shown = page.getByRole("dialog", { name: "The address team calendar" });
      const address = (await shown.getByRole("region", { name: "Address of the calendar" }).innerText()).match(
        /http\S+/,
      )?.[0];
      const read = async () => (await fetch(address)).status;
      assert.equal(await read(), 200);
      await assertAccessible(page);
      await page.getByRole("button", { name: "I have stored it" }).click();
      const row = page.getByRole("dialog").getByRole("listitem").filter({ hasText: "team calendar" });
      await row.waitFor();
      await assertAccessibleInEveryLook(page, "calendar-feeds");
      assert.ok(!(await page.content()).includes("token="), "it is shown once");
      await row.getByRole("button", { name: "Revoke team calendar" }).click();
      await page.getByRole("dialog", { name: "Revoke the address" }).getByRole("button", { name: "Revoke" }).click();
      await page.getByRole("heading", { name: "No address yet" }).waitFor();
      assert.equal(await read(), 401);
    }));

  test("imports a calendar into a schedule, or says what is wrong with each event", () =>
    visit(browser, server, `/rules/${sprint.id}`, { token: admin, expected: [/422|412/] }, async (page) => {
      const open = async (calendar) => {
        await page.getByLabel("iCalendar file (.ics)").setInputFiles(calendar);
        await page.getByRole("button", { name: "Replace the windows" }).click();
      };
      await page.getByRole("button", { name: "Import a calendar" }).click();
      const dialog = page.getByRole("dialog", { name: "Import a calendar: Planned sprints" });
      assert.ok(await dialog.getByRole("button", { name: "Replace the windows" }).isDisabled());
      const good = event("good@x", "DTSTART;VALUE=DATE:20301224", "DTEND;VALUE=DATE:20301226", "SUMMARY:Holidays");
      await open(file(good, event("bad@x", "DTSTART;TZID=Mars/Base:20301224T100000", "SUMMARY:Landing")));
      await dialog.getByRole("alert").getByText("bad@x").waitFor();
      await assertAccessible(page);
      await keepPicture(page, "import-refused");
      await call("PATCH", `/deployment-rules/${sprint.id}`, { priority: 42 });
      await open(file(good));
      await dialog.getByText("Another user has changed this rule.").waitFor();
      await dialog.getByRole("button", { name: "Replace the windows" }).click();
      await dialog.waitFor({ state: "detached" });
      await page.getByText("2030-12-24 00:00 – 2030-12-26 00:00").waitFor();
      assert.equal((await call("GET", `/deployment-rules/${sprint.id}`)).schedule.windows.length, 1);
    }));

  test("leads to the calendar and to rules from the palette", () =>
    visit(browser, server, "/products", { token: viewer }, async (page) => {
      await page.getByRole("heading", { level: 1, name: "Products" }).waitFor();
      await page.getByRole("button", { name: "Search" }).click();
      await page.getByRole("combobox", { name: "Search pages" }).fill("planned fr");
      await page.getByRole("option", { name: "Planned freeze" }).click();
      await page.waitForURL(new RegExp(`/rules/${freeze.id}`));
      await page.getByRole("heading", { level: 1, name: "Planned freeze" }).waitFor();
      await page.keyboard.press("g");
      await page.keyboard.press("c");
      await page.getByRole("heading", { level: 1, name: "Deployment calendar" }).waitFor();
      for (const { id } of [freeze, sprint]) await call("DELETE", `/deployment-rules/${id}`);
    }));
});
