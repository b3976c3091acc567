// Tests of the list of deployments and of the page of one.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import {
  assertAccessible,
  assertAccessibleInEveryLook,
  desk,
  phone,
  showsByNextPoll,
  suite,
  visit,
} from "./browser.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const hostile = '<img src=x onerror="alert(1)">\u202e"\'';

describe("deployments", suite, () => {
  let server, browser, token, viewer;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    [token, viewer] = await Promise.all([server.token(), server.token("viewer")]);
  });

  const api = async (path) =>
    (await fetch(server.url + path, { headers: { Authorization: `Bearer ${token}` } })).json();
  const send = async (body) => {
    const answer = await fetch(`${server.url}/deployment-events/`, {
      method: "POST",
      headers: { Authorization: `Bearer ${server.key}`, "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    assert.equal(answer.status, 200);
    return answer.json();
  };
  const rows = (page) => page.getByRole("table", { name: "Deployments" }).locator("tbody tr");

  test("lists deployments in every look", async () => {
    const event = { product_name: "initiated-list", version: "1", environment_name: "production", status: "completed" };
    await send({ ...event, deployed_by_name: "Ada Lovelace" });
    await visit(browser, server, "/deployments", { token }, async (page) => {
      await rows(page).first().waitFor();
      for (const viewport of [desk, { width: 800, height: 800 }, phone]) {
        await page.setViewportSize(viewport);
        await rows(page)
          .filter({ hasText: "initiated-list" })
          .getByText("Ada Lovelace")
          .filter({ visible: true })
          .waitFor();
      }
      await assertAccessibleInEveryLook(page, "deployments");
    });
  });

  test("shows a deployment in every look", async () => {
    const { items } = await api("/deployments/?environment=production&status=completed&limit=1");
    await visit(browser, server, `/deployments/${items[0].id}`, { token: viewer }, async (page) => {
      await page.getByText("created it").waitFor();
      await page.getByRole("region", { name: "Before and after" }).getByText("Before", { exact: true }).waitFor();
      await assertAccessibleInEveryLook(page, "deployment");
    });
  });

  test("shows beside a status since when it is so, and in the list when deployments started", async () => {
    const event = { product_name: "timed", version: "1", environment_name: "production", invoke_id: "timed-1" };
    const { id } = await send({ ...event, status: "started" });
    const end = new Date(Date.now() + 240_000).toISOString();
    await send({ ...event, status: "failed", completed_at: end });
    const ended = await send({ ...event, version: "2", invoke_id: "timed-2", status: "completed" });
    await send({ ...event, version: "3", invoke_id: "timed-3", status: "pending" });
    const one = await api(`/deployments/${id}`);
    assert.equal(Date.parse(one.completed_at), Date.parse(end));
    const timesIn = (place) => place.locator("time").evaluateAll((all) => all.map(({ dateTime }) => dateTime));
    await visit(browser, server, "/deployments?product=timed", { token: viewer }, async (page) => {
      await page.getByRole("columnheader", { name: "Started", exact: true }).waitFor();
      const row = (version) => rows(page).filter({ has: page.getByRole("link", { name: version, exact: true }) });
      await row("1").waitFor();
      assert.deepEqual(await timesIn(row("1")), [one.started_at]);
      await row("2")
        .getByText(/^ended just now$/)
        .waitFor();
      assert.deepEqual(await timesIn(row("2")), [(await api(`/deployments/${ended.id}`)).completed_at]);
      await row("3")
        .getByText(/^reported just now$/)
        .waitFor();
      await assertAccessibleInEveryLook(page, "deployments-timed");
      await page.goto(`${server.url}/app/deployments/${id}`);
      const started = page.getByRole("definition").filter({ has: page.locator(`time[datetime="${one.started_at}"]`) });
      await started.waitFor();
      assert.equal((await timesIn(page.getByRole("navigation", { name: "Above this page" })))[0], one.completed_at);
      await page.goto(`${server.url}/app/deployments/${ended.id}`);
      const before = page.getByRole("region", { name: "Before and after" });
      await before.getByText("failed").waitFor();
      assert.equal((await timesIn(before))[0], one.completed_at);
    });
    await visit(browser, server, "/?q=timed&environment=production", { token: viewer }, async (page) => {
      await page.getByRole("gridcell").first().click();
      const history = page.getByRole("dialog").getByRole("listitem").filter({ hasText: "failed" });
      await history.waitFor();
      assert.deepEqual(await timesIn(history), [one.completed_at]);
    });
    await send({ ...event, version: "3", invoke_id: "timed-3", status: "aborted" });
  });

  test("filters by what the address has, and writes the filters into it", () =>
    visit(browser, server, "/deployments?status=failed", { token }, async (page) => {
      await rows(page).first().getByText("failed").waitFor();
      await page.getByLabel("Product", { exact: true }).fill("payments-api");
      await page.waitForURL(/product=payments-api/);
      const { items } = await api("/deployments/?status=failed&product=payments-api&limit=200");
      await page.waitForFunction((count) => document.querySelectorAll("tbody tr").length === count, items.length);
      await page.getByRole("button", { name: "Clear" }).click();
      await page.waitForURL((url) => url.search === "");
      await page.getByLabel("Product", { exact: true }).fill("there is none");
      await page.getByRole("heading", { name: "No deployment matches the filters" }).waitFor();
    }));

  test("explains a filter that the server refuses", () =>
    visit(browser, server, "/deployments?status=nonsense", { token, expected: [/422/] }, async (page) => {
      await page.getByRole("alert").getByText("status").waitFor();
    }));

  test("loads the next page, without a row twice", () =>
    visit(browser, server, "/deployments", { token }, async (page) => {
      await rows(page).first().waitFor();
      const before = await rows(page).count();
      await page.getByRole("button", { name: "Load more" }).click();
      await page.waitForFunction((count) => document.querySelectorAll("tbody tr").length > count, before);
      const links = await rows(page).evaluateAll((all) => all.map((row) => row.querySelector("a").href));
      assert.equal(new Set(links).size, links.length);
    }));

  test("shows a new deployment within 8 seconds, with a hostile name as text", () =>
    visit(browser, server, "/deployments", { token }, async (page) => {
      await rows(page).first().waitFor();
      await send({
        product_name: hostile,
        version: "1.0.0<b>",
        environment_name: "production",
        status: "started",
        deploy_url: "javascript:alert(1)",
      });
      const row = rows(page).filter({ hasText: "<img src=x" });
      await showsByNextPoll(page, "/deployments/", "1.0.0<b>", row);
      await row.getByRole("link", { name: "1.0.0<b>" }).click();
      await page.getByRole("heading", { level: 1, name: "<img src=x" }).waitFor();
      await page.getByText("javascript:alert(1)").first().waitFor();
      assert.equal(await page.locator("a[href^='javascript']").count(), 0);
      await assertAccessible(page);
    }));

  test("shows the events, and leads to the deployments before and after", async () => {
    const event = { product_name: "neighbours", environment_name: "staging", status: "completed" };
    const deployments = [];
    for (const version of ["1.0.0", "1.1.0", "1.2.0"]) deployments.push(await send({ ...event, version }));
    await visit(browser, server, `/deployments/${deployments[1].id}`, { token }, async (page) => {
      const pair = page.getByRole("region", { name: "Before and after" });
      await pair.getByRole("link", { name: "1.0.0" }).waitFor();
      await page.getByText("Body", { exact: true }).click();
      await page.getByRole("region", { name: "Body as received" }).getByText('"version": "1.1.0"').waitFor();
      await pair.getByRole("link", { name: "1.2.0" }).click();
      await pair.getByText("The newest deployment there").waitFor();
      await pair.getByRole("link", { name: "1.1.0" }).click();
      await pair.getByRole("link", { name: "1.0.0" }).click();
      await pair.getByText("The first deployment there").waitFor();
    });
  });

  test("shows why a deployment failed, on its page and in its cell", async () => {
    const event = { product_name: "failing", environment_name: "production", status: "failed" };
    const cases = [
      ["1.0.0", "aborted", { extra_metadata: { error: "the approval is missing" } }, "the approval is missing"],
      ["1.1.0", "failed", { message: `no rights ${hostile}` }, "no rights <img src=x"],
      ["1.2.0", "failed", { extra_metadata: { error: "lock timeout" }, message: "exit 1" }, "lock timeout"],
    ];
    await send({ ...event, version: "0.9.0", status: "completed" });
    for (const [version, status, members, text] of cases) {
      const { id } = await send({ ...event, version, status, ...members });
      await visit(browser, server, `/deployments/${id}`, { token: viewer }, async (page) => {
        const error = page.getByRole("region", { name: "Error" });
        await error.getByText(text).waitFor();
        assert.equal(await error.getByText("exit 1").count(), 0, "the metadata come first");
        if (status === "failed") await assertAccessibleInEveryLook(page, `deployment-error-${version}`);
      });
    }
    await visit(browser, server, "/?q=failing&environment=production", { token: viewer }, async (page) => {
      await page.getByRole("gridcell").first().click();
      const panel = page.getByRole("dialog", { name: "failing in production" });
      await panel.getByRole("region", { name: "Error" }).getByText("lock timeout").waitFor();
      await assertAccessibleInEveryLook(page, "cell-error");
    });
    const { id } = await send({ ...event, version: "2.0.0", status: "completed", message: "exit 0" });
    await visit(browser, server, `/deployments/${id}`, { token: viewer }, async (page) => {
      await page.getByText("created it").waitFor();
      assert.equal(await page.getByRole("region", { name: "Error" }).count(), 0);
    });
  });

  test("says that an identifier is unknown", () =>
    visit(browser, server, "/deployments/nonsense", { token, expected: [/422/] }, async (page) => {
      await page.getByRole("heading", { name: "There is no deployment with this identifier" }).waitFor();
    }));

  test("keeps the rows while the server is away", () =>
    visit(browser, server, "/deployments", { token, expected: [/Failed to load|ERR_/] }, async (page, context) => {
      await rows(page).first().waitFor();
      await context.setOffline(true);
      await page.getByText("This computer is offline.").waitFor();
      assert.ok((await rows(page).count()) > 0);
    }));
});
