// Tests of the pages of deployment requests: the list, one request, its parts, and the form of a new one.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import {
  assertAccessible,
  assertAccessibleInEveryLook,
  keepPicture,
  phone,
  suite,
  visit,
  waitForFocus,
} from "./browser.js";
import { callServer } from "./server.js";
import { sharedBrowser, sharedServer } from "./shared.js";

const hostile = '<i onmouseover="alert(1)">\u202e"\'';

describe("deployment requests", suite, () => {
  let server, browser, admin, manager, developer, qa, viewer, environment, version, other;

  before(async () => {
    server = await sharedServer();
    browser = await sharedBrowser();
    [admin, manager, developer, qa, viewer] = await Promise.all(
      ["admin", "release_manager", "developer", "qa", "viewer"].map((role) => server.token(role)),
    );
    version = await newVersion("1.0.0");
    other = await newVersion("1.1.0");
    environment = (await call("GET", "/environments/?q=request-prod")).items[0].id;
  });

  const call = (method, path, body, token = admin) => callServer(server, token, method, path, body);
  const row = (page, text) => page.getByRole("listitem").filter({ hasText: text });
  const dialog = (page) => page.getByRole("dialog");
  const newVersion = async (name) => {
    const event = { product_name: "requested", version: name, environment_name: "request-prod", status: "completed" };
    return (await call("POST", "/deployment-events/", event, server.key)).version_id;
  };
  /** A request of the developer, with a version unless it is a draft. */
  const newRequest = async (name, { isDraft = false, ...members } = {}) => {
    const body = { name, environment_ids: [environment], approvals: [{ approval_type: "qa" }], ...members };
    const { id } = await call("POST", "/deployment-requests/", body, developer);
    if (isDraft) return id;
    await call("POST", `/deployment-requests/${id}/versions`, { version_id: version }, developer);
    await call("POST", `/deployment-requests/${id}/activate`, undefined, developer);
    return id;
  };
  const statusOf = async (id) => (await call("GET", `/deployment-requests/${id}`)).status;
  /** Confirms what the button with the name asks for. */
  const confirm = async (page, name) => {
    await page.getByRole("button", { name, exact: true }).click();
    await dialog(page).getByRole("button", { name, exact: true }).click();
    await dialog(page).waitFor({ state: "detached" });
  };

  test("says before and after an activation that its user cannot approve the request", async () => {
    const id = await newRequest("Of another user", { isDraft: true });
    await call("POST", `/deployment-requests/${id}/versions`, { version_id: version }, developer);
    const sentence = /Who activates it cannot approve it/;
    await visit(browser, server, `/deployment-requests/${id}`, { token: manager }, async (page) => {
      await call("PATCH", "/governance-settings", { requester_may_approve: true });
      try {
        await page.reload();
        await page.getByText("Approvals can be given once the request is activated.").waitFor(); // it has the settings
        await page.getByRole("button", { name: "Activate", exact: true }).click();
        await dialog(page).getByText("asks for its approvals").waitFor();
        assert.equal(await dialog(page).getByText(sentence).count(), 0);
      } finally {
        await call("PATCH", "/governance-settings", { requester_may_approve: false });
      }
      await page.reload();
      await page.getByRole("button", { name: "Activate", exact: true }).click();
      await dialog(page).getByText(sentence).waitFor();
      await dialog(page).getByRole("button", { name: "Activate", exact: true }).click();
      await page.getByText("You activated this request: another user decides about it.").waitFor();
      assert.equal(await page.getByRole("button", { name: /^(Approve|Reject)/ }).count(), 0);
    });
  });

  test("a box is ticked by the click that leaves the field of environments, whose text is added", () =>
    visit(browser, server, "/deployment-requests", { token: developer }, async (page) => {
      await page.route(/deployment-request-templates\/\?/, (route) =>
        route.fulfill({ json: { items: [], next_cursor: null } }),
      );
      await page.getByRole("button", { name: "New request" }).click();
      const box = dialog(page).getByRole("checkbox", { name: "Performance" }).first();
      await dialog(page).getByLabel("Environments", { exact: true }).fill("request-prod");
      const press = async () => {
        const { x, y, width, height } = await box.boundingBox();
        await page.mouse.move(x + width / 2, y + height / 2);
        await page.mouse.down();
        await page.evaluate(
          () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
        );
      };
      await box.scrollIntoViewIfNeeded();
      await press();
      await page.mouse.up();
      await dialog(page).getByRole("button", { name: "Remove request-prod" }).waitFor();
      assert.ok(await box.isChecked());
    }));

  test("says what to do while there is no request", () =>
    visit(browser, server, "/deployment-requests?q=none-has-this-name", { token: admin }, async (page) => {
      await page.getByRole("heading", { name: "No request matches the filters" }).waitFor();
      await page.route(/deployment-requests\/\?/, (route) => route.fulfill({ json: { items: [], next_cursor: null } }));
      await page.getByRole("button", { name: "Clear" }).click();
      await page.getByRole("heading", { name: "No deployment request yet" }).waitFor();
      await page.getByText("Create one, add versions to it, and activate it.").waitFor();
      await keepPicture(page, "requests-empty");
    }));

  test("lists requests, and filters them in the address", async () => {
    const id = await newRequest(`Listed ${hostile}`);
    await newRequest("Listed draft", { isDraft: true });
    await visit(browser, server, "/", { token: viewer }, async (page) => {
      await page.getByRole("link", { name: "Deployment requests" }).click();
      const request = row(page, "Listed <i onmouseover");
      await request.getByText("◐in progress").waitFor();
      await request.getByText("request-prod").waitFor();
      await request.getByText("Open approvals QA").waitFor();
      await page.getByText("Your role may not create or change deployment requests").waitFor();
      assert.equal(await page.getByRole("button", { name: /New request|Waiting/ }).count(), 0);
      await assertAccessibleInEveryLook(page, "requests");
      await page.getByLabel("Status").selectOption("draft");
      await page.waitForURL(/status=draft/);
      await row(page, "Listed draft").waitFor();
      await request.waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Clear" }).click();
      await request.getByRole("link", { name: "Listed" }).click();
      await page.waitForURL(new RegExp(`/deployment-requests/${id}$`));
      await page.getByRole("heading", { level: 1, name: "Listed" }).waitFor();
    });
  });

  test("reads the next page of the list", async () => {
    await newRequest("Paged 1", { isDraft: true });
    await newRequest("Paged 2", { isDraft: true });
    await visit(browser, server, "/deployments", { token: viewer }, async (page) => {
      await page.route(/deployment-requests\/\?/, (route) =>
        route.continue({ url: route.request().url().replace("limit=50", "limit=1") }),
      );
      await page.goto(`${server.url}/app/deployment-requests?q=Paged`);
      await row(page, "Paged 2").waitFor();
      assert.equal(await row(page, "Paged 1").count(), 0);
      await page.getByRole("button", { name: "Load more" }).click();
      await row(page, "Paged 1").waitFor();
    });
  });

  test("shows requests by status on a board, in the address", async () => {
    const approved = await newRequest("Boarded approved", { approvals: [{ approval_type: "qa", required: false }] });
    await newRequest(`Boarded 1 ${hostile}`, { isDraft: true, environment_ids: undefined });
    await newRequest("Boarded 2", { isDraft: true, steps: [{ phase: "pre", title: "Announce it" }] });
    await newRequest("Boarded in progress", { approvals: [{ approval_type: "qa" }, { approval_type: "uat" }] });
    const column = (page, name) => page.getByRole("region", { name, exact: true });
    await visit(browser, server, "/deployment-requests?status=draft", { token: qa }, async (page) => {
      await page.route(/deployment-requests\/\?/, (route) =>
        route.continue({ url: route.request().url().replace("limit=20", "limit=1") }),
      );
      await row(page, "Boarded 2").waitFor();
      await page.getByRole("button", { name: "Board" }).click();
      await page.waitForURL(/\?view=board$/);
      await page.getByLabel("Name", { exact: true }).fill("Boarded");
      await page.waitForURL(/view=board&q=Boarded/);
      const draft = column(page, "Draft");
      await draft.getByText("0 versions to request-prod").waitFor();
      await draft.getByText("Open steps before 1").waitFor();
      await draft.getByText("Open approvals QA").waitFor();
      await draft.getByText("dev-developer").waitFor();
      assert.equal(await draft.getByRole("link").count(), 1);
      await draft.getByRole("button", { name: "Load more" }).click();
      await draft.getByRole("link", { name: "Boarded 1 <i onmouseover" }).waitFor();
      await draft.getByText("0 versions to no environment yet").waitFor();
      await column(page, "In progress").getByText("Open approvals QA, User acceptance").waitFor();
      await column(page, "Approved").getByRole("link", { name: "Boarded approved" }).waitFor();
      for (const empty of ["Rejected", "Completed", "Cancelled"]) {
        await column(page, empty).getByText("None matches the filter").waitFor();
      }
      assert.equal(await page.getByLabel("Status").count(), 0, "the columns are the statuses");
      await draft.getByRole("heading", { name: "Draft 2", exact: true }).waitFor();
      await page.setViewportSize(phone);
      const [one, next] = [await draft.boundingBox(), await column(page, "In progress").boundingBox()];
      assert.equal(next.y, one.y, "beside each other");
      assert.ok(
        one.x >= 0 && one.x + one.width < phone.width - 24 && next.x < phone.width,
        "the next one begins in view",
      );
      assert.ok(one.height <= phone.height);
      await column(page, "Approved").getByRole("link").scrollIntoViewIfNeeded();
      await page.waitForFunction(() => document.querySelector("[aria-label=Board]").scrollLeft > 500);
      await assertAccessibleInEveryLook(page, "requests-board");

      const waiting = page.getByRole("button", { name: "Waiting for me" });
      await waiting.click();
      await page.waitForURL((url) => url.search.includes("view=board") && url.search.includes("waiting=me"));
      await column(page, "Rejected").getByText("None matches the filter").waitFor();
      await column(page, "Approved").getByText("Open approvals QA (optional)").waitFor();
      await column(page, "Draft").getByText("None matches the filter").waitFor();
      await column(page, "In progress").getByRole("link", { name: "Boarded in progress" }).waitFor();
      await assertAccessibleInEveryLook(page, "requests-board-waiting");
      await page.getByRole("button", { name: "List" }).click();
      await page.waitForURL((url) => !url.search.includes("view=") && url.search.includes("waiting=me"));
      await row(page, "Boarded in progress").waitFor();
      assert.equal(await row(page, "Boarded 2").count(), 0);
      assert.equal(await waiting.getAttribute("aria-pressed"), "true");
      await page.getByRole("button", { name: "Board" }).click();
      await page.waitForURL((url) => url.search.includes("view=board") && url.search.includes("waiting=me"));
      assert.equal(await waiting.getAttribute("aria-pressed"), "true");
      await waiting.click();
      await page.waitForURL((url) => !url.search.includes("waiting"));
      await column(page, "Approved").getByRole("link").focus();
      await page.keyboard.press("Enter");
      await page.waitForURL(new RegExp(`/deployment-requests/${approved}$`));
      await page.goBack();
      await column(page, "Draft").getByText("Boarded 2").waitFor();
      await page.getByRole("button", { name: "List" }).click();
      await row(page, "Boarded 2").getByText("○draft").waitFor();
    });
  });

  test("a rejected request does not list its open approvals as what it waits for", async () => {
    const id = await newRequest("Rejected by QA", { approvals: [{ approval_type: "qa" }, { approval_type: "uat" }] });
    await call("GET", `/deployment-requests/${id}/approvals`).then(({ items }) =>
      call(
        "POST",
        `/deployment-requests/${id}/approvals/${items.find(({ approval_type }) => approval_type === "qa").id}/reject`,
        { comments: "Login fails", activation: 1 },
      ),
    );
    await visit(browser, server, "/deployment-requests?q=Rejected%20by%20QA", { token: qa }, async (page) => {
      await row(page, "Rejected by QA").getByText("✕rejected").waitFor();
      assert.equal(await page.getByText("Open approvals").count(), 0);
      await page.getByRole("button", { name: "Board" }).click();
      const card = page.getByRole("region", { name: "Rejected", exact: true }).getByRole("listitem");
      await card.getByRole("link", { name: "Rejected by QA" }).waitFor();
      assert.equal(await card.getByText("Open approvals").count(), 0);
      await card.getByRole("link").click();
      const open = page.getByRole("list", { name: "What is open" });
      await open.getByText("A required approval is rejected").waitFor();
      assert.equal(await open.getByRole("listitem").count(), 1);
      await assertAccessibleInEveryLook(page, "request-rejected");
    });
  });

  for (const [board, list] of [
    ["/deployment-requests?view=board", /deployment-requests\/\?status=draft/],
    ["/releases", /releases\/\?status=draft/],
  ]) {
    test(`polls each column of the board ${board} every 20 seconds`, async () => {
      await visit(browser, server, "/start", { token: viewer }, async (page) => {
        await page.clock.install();
        await page.addInitScript((list) => {
          Math.random = () => 0.5; // the middle of the spread of the intervals
          const { fetch } = window;
          const polls = { times: [], pending: 0 };
          window.polls = polls;
          window.fetch = async (...request) => {
            if (!new RegExp(list).test(request[0].url ?? request[0])) return fetch(...request);
            polls.times.push(Date.now());
            polls.pending++;
            return fetch(...request).finally(() => polls.pending--);
          };
        }, list.source);
        await page.route(list, (route) => route.fulfill({ json: { items: [], next_cursor: null } }));
        await page.goto(`${server.url}/app${board}`);
        await page.getByRole("region", { name: "Draft" }).getByText("None").waitFor();
        await page.clock.pauseAt(await page.evaluate(() => Date.now() + 10_000)); // from here on, time passes by steps only
        const start = await page.evaluate(() => Date.now());
        for (let passed = 0; passed < 60; passed++) {
          await page.clock.runFor(1_000);
          while (await page.evaluate(() => window.polls.pending > 0)) await pause(10); // an answer needs real time
        }
        const times = (await page.evaluate(() => window.polls.times)).filter((time) => time > start);
        assert.deepEqual(
          times.map((time) => Math.round((time - times[0]) / 1000)), // the pause moves timers by a part of a second
          [0, 20, 40],
        );
      });
    });
  }

  test("a version lists the requests that name it, page by page", async () => {
    const named = await newVersion("3.0.0");
    const expected = ["Names it 1", "Names it 2"];
    for (const name of expected) {
      const id = await newRequest(name, { isDraft: true });
      await call("POST", `/deployment-requests/${id}/versions`, { version_id: named }, developer);
    }
    await newRequest("Names none", { isDraft: true });
    await visit(browser, server, "/versions", { token: viewer }, async (page) => {
      await page.route(/deployment-requests\/\?/, (route) =>
        route.continue({ url: route.request().url().replace("limit=50", "limit=1") }),
      );
      await page.goto(`${server.url}/app/versions/${named}`);
      const panel = page.locator("section").filter({ has: page.getByRole("heading", { name: "Deployment requests" }) });
      await row(panel, "Names it 2").getByText("○draft").waitFor();
      assert.equal(await row(panel, "Names it 1").count(), 0);
      await panel.getByRole("button", { name: "Load more" }).click();
      await row(panel, "Names it 1").waitFor();
      assert.equal(await panel.getByRole("listitem").count(), 2);
      await panel.scrollIntoViewIfNeeded();
      await keepPicture(page, "version-requests");
      await row(panel, "Names it 1").getByRole("link").click();
      await page.getByRole("heading", { level: 1, name: "Names it 1" }).waitFor();
    });
    await visit(browser, server, `/versions/${await newVersion("3.1.0")}`, { token: viewer }, async (page) => {
      await page.getByRole("heading", { name: "No deployment request names this version" }).waitFor();
    });
  });

  test("a draft gets versions, approvals and steps, and is activated", async () => {
    const id = await newRequest("Drafted", { isDraft: true, description: `Ships the basket ${hostile}` });
    await visit(browser, server, `/deployment-requests/${id}`, { token: developer }, async (page) => {
      await page.getByText("Ships the basket <i onmouseover").waitFor();
      await page.getByText("It has no version: add one to activate it.").waitFor();
      await page.getByText("Approvals can be given once the request is activated.").waitFor();
      await page.getByRole("button", { name: "Add versions" }).click();
      await dialog(page).getByLabel("Product").fill("requested");
      await dialog(page).getByRole("button", { name: "Add requested 1.0.0" }).click();
      await dialog(page).getByText("in the request").waitFor();
      await dialog(page).getByRole("button", { name: "Replace by requested 1.1.0" }).click();
      await dialog(page).getByRole("button", { name: "Replace by requested 1.0.0" }).waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Remove requested 1.1.0" }).press("Enter");
      await page.getByRole("heading", { name: "This request has no version" }).waitFor();
      await waitForFocus(page.getByRole("button", { name: "Add versions" }));
      await call("POST", `/deployment-requests/${id}/versions`, { version_id: other }, developer);
      await page.getByRole("link", { name: "1.1.0" }).waitFor();

      await page.getByRole("button", { name: "Add an approval" }).click();
      await dialog(page).getByLabel("Type").selectOption("code_review");
      await dialog(page).getByRole("button", { name: "Add", exact: true }).click();
      await dialog(page).waitFor({ state: "detached" });
      await page.getByText("Required approvals that are open: QA, Code review").waitFor();
      await page.getByRole("button", { name: "Remove Code review" }).click();
      await dialog(page).getByRole("button", { name: "Remove" }).click();
      await page.getByText(/Required approvals that are open: QA$/).waitFor();
      await waitForFocus(page.getByRole("button", { name: "Remove QA" }));

      await page.getByRole("button", { name: "Add a step" }).click();
      await dialog(page).getByRole("button", { name: "Add", exact: true }).click();
      await dialog(page).getByText("This field is required.").waitFor();
      await dialog(page).getByLabel("What to do").fill("Announce it");
      await dialog(page).getByLabel("Details").fill("In the channel of operations");
      await dialog(page).getByRole("button", { name: "Add", exact: true }).click();
      await dialog(page).waitFor({ state: "detached" });
      await row(page, "In the channel of operations").getByText("○open").waitFor();
      await page.getByText("Before the deployments: 1 step is not done").waitFor();
      await page.getByRole("button", { name: "Complete Announce it" }).press("Enter");
      await waitForFocus(page.getByRole("button", { name: "Reopen Announce it" }));
      await page.getByRole("button", { name: "Reopen Announce it" }).click();
      await waitForFocus(page.getByRole("button", { name: "Complete Announce it" }));
      for (const title of ["First of two", "Second of two"]) {
        await call("POST", `/deployment-requests/${id}/steps`, { phase: "post", title }, developer);
      }
      await page.getByRole("button", { name: "Remove First of two" }).press("Enter");
      await waitForFocus(page.getByRole("button", { name: "Complete Second of two" }));
      await page.getByRole("button", { name: "Remove Second of two" }).press("Enter");
      await waitForFocus(page.getByRole("button", { name: "Add a step" }));

      await confirm(page, "Activate");
      await page.getByText("Until it is approved, its versions are blocked in its environments.").waitFor();
      assert.equal(await page.getByRole("button", { name: /^(Add versions|Remove .*|Delete|Activate)$/ }).count(), 0);
      await page.getByText("You have made this request: another user decides about it.").waitFor();
      assert.equal(await page.getByRole("button", { name: /^(Approve|Reject)/ }).count(), 0);
      await row(page, "activated the request").getByText("◐in progress").waitFor();
    });
    assert.equal(await statusOf(id), "in_progress");
  });

  test("approves, rejects and resets as the role permits, and comments", async () => {
    const id = await newRequest("Decided", { approvals: [{ approval_type: "qa" }, { approval_type: "security" }] });
    await visit(browser, server, `/deployment-requests/${id}`, { token: qa, expected: [/422/] }, async (page) => {
      await page.getByText("Your role may decide about QA and Performance.").waitFor();
      assert.equal(await page.getByRole("button", { name: /Security/ }).count(), 0);
      await page.getByRole("button", { name: "Reject QA" }).click();
      await dialog(page).getByRole("button", { name: "Reject", exact: true }).click();
      await dialog(page).getByText("a rejection needs comments").waitFor();
      assert.equal(await dialog(page).getByRole("alert").count(), 0, "the reason is beside the field alone");
      await dialog(page).getByLabel("Comments").fill(`Login fails ${hostile}`);
      await keepPicture(page, "request-rejection");
      await assertAccessible(page);
      await dialog(page).getByRole("button", { name: "Reject", exact: true }).click();
      await dialog(page).waitFor({ state: "detached" });
      const slot = page.getByRole("list", { name: "Approvals" }).getByRole("listitem").filter({ hasText: "QA" });
      await slot.getByText("✕rejected").waitFor();
      await slot.getByText("Login fails <i onmouseover").waitFor();
      await slot.getByText("(qa)").waitFor();
      await page.getByRole("button", { name: "Reset QA" }).click();
      await dialog(page).getByRole("button", { name: "Reset", exact: true }).click();
      await slot.getByText("○open").waitFor();
      await page.getByRole("button", { name: "Approve QA" }).click();
      await dialog(page).getByLabel("Comments").fill("Suite is green");
      await dialog(page).getByRole("button", { name: "Approve", exact: true }).click();
      await slot.getByText("✓approved").waitFor();
      await page.getByText("Required approvals that are open: Security").waitFor();

      await page.getByRole("button", { name: "Comment" }).click();
      await dialog(page).getByLabel("Comment").fill(`After the campaign ${hostile}`);
      await dialog(page).getByRole("button", { name: "Comment", exact: true }).click();
      await page.getByRole("list", { name: "Comments" }).getByText("After the campaign <i onmouseover").waitFor();
      assert.equal(await page.getByRole("button", { name: /^(Edit|Cancel request|Back to draft)$/ }).count(), 0);
    });
    await visit(browser, server, `/deployment-requests/${id}`, { token: viewer }, async (page) => {
      await page.getByText("Your role may not approve or reject deployment requests").waitFor();
      await page.getByText("Your role may not change, activate, cancel or delete").waitFor();
      await page.getByText("Your role may not complete steps").waitFor();
      await page.getByText("Your role may not comment").waitFor();
      await row(page, "reset the decision about QA").waitFor();
      await assertAccessibleInEveryLook(page, "request");
      const actions = /^(Approve|Reject|Reset|Add|Edit|Cancel|Back|Comment|Complete|Delete)/;
      assert.equal(await page.getByRole("button", { name: actions }).count(), 0);
    });
    await visit(browser, server, `/deployment-requests/${id}`, { token: manager }, async (page) => {
      await page.getByRole("button", { name: "Approve Security" }).click();
      await dialog(page).getByRole("button", { name: "Approve", exact: true }).click();
      await page.getByText("All required approvals of this request are given").waitFor();
      await page.getByText("Rules are checked when a deployment starts").waitFor();
      await confirm(page, "Complete");
      await page.getByText("✓completed").first().waitFor();
      assert.equal(await page.getByRole("button", { name: /^(Edit|Cancel|Back|Approve|Add)/ }).count(), 0);
    });
    assert.equal(await statusOf(id), "completed");
  });

  test("resets the rejection of an optional approval, and removes it afterwards", async () => {
    const approvals = [{ approval_type: "security" }, { approval_type: "qa", required: false }];
    const id = await newRequest("Doubted", { approvals });
    await visit(browser, server, `/deployment-requests/${id}`, { token: manager }, async (page) => {
      const slot = page.getByRole("list", { name: "Approvals" }).getByRole("listitem").filter({ hasText: "QA" });
      await slot.getByRole("button", { name: "Remove QA" }).waitFor();
      await slot.getByRole("button", { name: "Reject QA" }).click();
      await dialog(page).getByLabel("Comments").fill("Login fails");
      await dialog(page).getByRole("button", { name: "Reject", exact: true }).click();
      await slot.getByText("✕rejected").waitFor();
      await slot.getByRole("button", { name: "Approve QA" }).waitFor();
      assert.equal(await slot.getByRole("button", { name: "Remove QA" }).count(), 0);
      await slot.getByRole("button", { name: "Reset QA" }).click();
      await dialog(page).getByRole("button", { name: "Reset", exact: true }).click();
      await slot.getByText("○open").waitFor();
      await slot.getByRole("button", { name: "Remove QA" }).click();
      await dialog(page).getByRole("button", { name: "Remove" }).click();
      await slot.waitFor({ state: "detached" });
    });
    assert.equal(await statusOf(id), "in_progress");
  });

  test("shows what another user has done since: 409 and 412", async () => {
    const id = await newRequest("Raced");
    const path = `/deployment-requests/${id}`;
    await visit(browser, server, path, { token: qa, expected: [/409|412/] }, async (page) => {
      await page.getByRole("button", { name: "Approve QA" }).click();
      await call("POST", `${path}/deactivate`, undefined, developer);
      await call("POST", `${path}/activate`, undefined, developer);
      await dialog(page).getByRole("button", { name: "Approve", exact: true }).click();
      await dialog(page).getByRole("alert").getByText("was deactivated since you read it").waitFor();
      await row(page, "made the request a draft again").waitFor();
      await dialog(page).getByRole("button", { name: "Approve", exact: true }).click();
      await dialog(page).getByRole("alert").getByText("was deactivated since you read it").waitFor();
      await dialog(page).getByRole("button", { name: "Cancel" }).click();
      await page.getByRole("button", { name: "Approve QA" }).click();
      await call("POST", `${path}/cancel`, undefined, developer);
      await dialog(page).getByRole("button", { name: "Approve", exact: true }).click();
      await dialog(page).getByRole("alert").getByText("The deployment request is cancelled").waitFor();
      await page.getByText("⊘cancelled").first().waitFor();
    });
    const drafted = await newRequest("Raced draft", { isDraft: true });
    const expected = [/412/];
    await visit(browser, server, `/deployment-requests/${drafted}`, { token: developer, expected }, async (page) => {
      await page.getByRole("button", { name: "Cancel request" }).click();
      await call("PATCH", `/deployment-requests/${drafted}`, { name: "Raced and renamed" });
      await dialog(page).getByRole("button", { name: "Cancel request" }).click();
      await dialog(page).getByText("Another user has changed this request.").waitFor();
      await page.getByRole("heading", { level: 1, name: "Raced and renamed", includeHidden: true }).waitFor();
      await dialog(page).getByRole("button", { name: "Cancel request" }).click();
      await page.getByText("⊘cancelled").first().waitFor();
    });
  });

  test("an answer about a deployment and a deployment lead to their request", async () => {
    const gated = await newVersion("2.0.0");
    const id = await newRequest("Linked", { isDraft: true });
    await call("POST", `/deployment-requests/${id}/versions`, { version_id: gated }, developer);
    await call("POST", `/deployment-requests/${id}/activate`, undefined, developer);
    await visit(browser, server, `/versions/${gated}`, { token: viewer }, async (page) => {
      const box = page.locator("section").filter({ has: page.getByRole("heading", { name: "May I deploy it?" }) });
      await box.getByLabel("Environment").fill("request-prod");
      await box.getByRole("button", { name: "Ask" }).click();
      await box.getByText("⊘no").waitFor();
      await box.getByRole("link", { name: 'Deployment request "Linked"' }).click();
      await page.waitForURL(new RegExp(`/deployment-requests/${id}$`));
      await page.goBack();
      await box.getByLabel("Environment").fill("request-prod");
      await box.getByRole("button", { name: "Ask" }).click();
      await box.getByRole("link", { name: "this deployment request" }).click();
      await page.waitForURL(new RegExp(`/deployment-requests/${id}$`));
    });
    const slot = (await call("GET", `/deployment-requests/${id}/approvals`)).items[0].id;
    await call("POST", `/deployment-requests/${id}/approvals/${slot}/approve`, { activation: 1 }, qa);
    const event = { product_name: "requested", version: "2.0.0", environment_name: "request-prod", status: "started" };
    const { id: deployment } = await call("POST", "/deployment-events/", event, server.key);
    await visit(browser, server, `/deployments/${deployment}`, { token: viewer }, async (page) => {
      await page.getByRole("link", { name: "the request that names it" }).click();
      await page.waitForURL(new RegExp(`/deployment-requests/${id}$`));
    });
    await call("POST", "/deployment-events/", { ...event, status: "completed" }, server.key);
  });

  test("edits and deletes a draft", async () => {
    const id = await newRequest("Edited", { isDraft: true });
    await visit(browser, server, `/deployment-requests/${id}`, { token: developer }, async (page) => {
      await page.getByRole("button", { name: "Edit" }).click();
      await dialog(page).getByLabel("Environments", { exact: true }).first().fill("no such place");
      await page.keyboard.press("Enter");
      await dialog(page).getByRole("button", { name: "Save" }).click();
      await dialog(page).getByText("There is no environment with the name no such place.").waitFor();
      await dialog(page).getByRole("button", { name: "Remove no such place" }).click();
      await dialog(page).getByLabel("Name").fill("Edited twice");
      await dialog(page).getByLabel("Block the versions").uncheck();
      await dialog(page).getByRole("button", { name: "Save" }).click();
      await page.getByRole("heading", { level: 1, name: "Edited twice" }).waitFor();
      await page.getByText("– no").waitFor();
      await page.getByRole("button", { name: "Delete" }).click();
      await dialog(page).getByLabel("Delete the request").check();
      await dialog(page).getByRole("button", { name: "Delete" }).click();
      await page.waitForURL(/deployment-requests$/);
    });
  });

  test("the address in notifications opens the request", async () => {
    const id = await newRequest("Notified", { isDraft: true });
    await visit(browser, server, "/start", { token: viewer }, async (page) => {
      await page.goto(`${server.url}/deployment-requests/${id}`);
      await page.waitForURL(new RegExp(`/app/deployment-requests/${id}$`));
      await page.getByRole("heading", { level: 1, name: "Notified" }).waitFor();
    });
  });

  test("an unknown request leads to the list", () =>
    visit(
      browser,
      server,
      "/deployment-requests/01a20970-3f1c-7a52-9d04-6be1c28f7a15",
      { token: viewer, expected: [/404/] },
      async (page) => {
        await page.getByRole("heading", { name: "Deployment request not found" }).waitFor();
        await page.getByRole("link", { name: "Go to the list" }).click();
        await page.waitForURL(/deployment-requests$/);
      },
    ));

  test("creates a request, from a template or not", async () => {
    const create = (page) => dialog(page).getByRole("button", { name: "Create", exact: true });
    const expected = [/422/];
    await visit(browser, server, "/deployment-requests", { token: developer, expected }, async (page) => {
      const templates = { items: [], next_cursor: null };
      await page.route(/deployment-request-templates\/\?/, (route) => route.fulfill({ json: templates }));
      await page.getByRole("button", { name: "New request" }).click();
      const form = page.getByRole("dialog", { name: "New deployment request" });
      await form.getByLabel("Name").waitFor();
      await create(page).click();
      await form.getByText("This field is required.").waitFor();
      await form.getByLabel("Name").fill(`Created ${hostile}`);
      const required = form.getByRole("group", { name: "Required approvals" });
      await required.getByLabel("Security").check();
      const optional = form.getByRole("group", { name: "Optional approvals" });
      await optional.getByLabel("Security").check();
      await create(page).click();
      await form.getByText("Security is required already.").waitFor();
      await keepPicture(page, "request-form-refused");
      await assertAccessible(page);
      await optional.getByLabel("Security").uncheck();
      await optional.getByLabel("QA").check();
      await form.getByLabel("Environments", { exact: true }).first().fill("REQUEST-PROD");
      await page.keyboard.press("Enter");
      await form.getByRole("button", { name: "Add a step" }).click();
      await create(page).click();
      await form.getByRole("group", { name: "Step 1" }).getByText("at least 1 character").waitFor();
      await form.getByRole("group", { name: "Step 1" }).getByLabel("What to do").fill("Watch the errors");
      await form.getByRole("group", { name: "Step 1" }).getByLabel("When").selectOption("post");
      await form.getByRole("button", { name: "Add a step" }).click();
      const second = form.getByRole("group", { name: "Step 2" });
      await second.getByLabel("What to do").fill("Announce it");
      await second.getByLabel("When").selectOption("pre");
      await second.getByLabel("Details").fill("In the channel");
      await form.getByLabel("Block the versions").uncheck();
      await assertAccessibleInEveryLook(page, "request-form");
      await create(page).click();
      await page.getByRole("heading", { level: 1, name: "Created <i onmouseover" }).waitFor();
      await page.getByText("It has no version: add one to activate it.").waitFor();
      await page.getByText("Required approvals that are open: Security").waitFor();
      await page.getByRole("list", { name: "After the deployments" }).getByText("Watch the errors").waitFor();
      await page.getByRole("list", { name: "Before the deployments" }).getByText("In the channel").waitFor();
      await page.getByText("– no").waitFor();
    });
    await call("POST", "/deployment-request-templates/", {
      name: `Monthly ${hostile}`,
      description: "As every month",
      environment_ids: [environment],
      approvals: [{ approval_type: "uat" }],
      steps: [{ phase: "pre", title: "Freeze the backlog", description: "Ask product first" }],
      gate: false,
    });
    await visit(browser, server, "/deployment-requests", { token: developer }, async (page) => {
      await page.getByRole("button", { name: "New request" }).click();
      await dialog(page)
        .getByLabel("Template")
        .selectOption({ label: `Monthly ${hostile}` });
      await keepPicture(page, "request-template");
      await assertAccessible(page);
      await dialog(page).getByRole("button", { name: "Continue" }).click();
      await dialog(page).getByLabel("Name").fill("From a template");
      await dialog(page).getByText("request-prod").first().waitFor();
      assert.ok(await dialog(page).getByLabel("User acceptance").first().isChecked());
      await create(page).click();
      await page.getByRole("heading", { level: 1, name: "From a template" }).waitFor();
      await row(page, "Freeze the backlog").getByText("Ask product first").waitFor();
      await page.getByText("As every month").waitFor();
    });
  });

  test("the form of a new request stays while another user creates the first template", () =>
    visit(browser, server, "/deployment-requests", { token: developer }, async (page) => {
      const template = {
        id: environment,
        name: "The first",
        environment_ids: [],
        approvals: [],
        steps: [],
        gate: false,
      };
      let items = [];
      const isPoll = /deployment-request-templates\/\?/;
      await page.route(isPoll, (route) => route.fulfill({ json: { items, next_cursor: null } }));
      await page.clock.install();
      await page.getByRole("button", { name: "New request" }).click();
      await dialog(page).getByLabel("Name").fill("Typed before");
      items = [template];
      const answered = page.waitForResponse(isPoll);
      await page.clock.runFor(6_000);
      await (await answered).finished();
      await page.clock.runFor(1_000);
      assert.equal(await dialog(page).getByLabel("Name").inputValue(), "Typed before");
      await dialog(page).getByRole("button", { name: "Cancel" }).click();
      await page.getByRole("button", { name: "Discard" }).click();
      await page.getByRole("button", { name: "New request" }).click();
      await dialog(page).getByLabel("Template").selectOption("The first");
    }));

  test("waiting for me: requests with an open approval that the role may give, and the user has not made", async () => {
    await newRequest("Waits for QA");
    await newRequest("Waits for security", { approvals: [{ approval_type: "security" }] });
    await newRequest("Waits for code review", { approvals: [{ approval_type: "code_review" }] });
    await newRequest("Draft of QA", { isDraft: true });
    const optional = { approval_type: "qa", required: false };
    await newRequest("Security, and perhaps QA", { approvals: [{ approval_type: "security" }, optional] });
    await newRequest("Approved, and perhaps QA", { approvals: [optional] });
    await visit(browser, server, "/deployment-requests", { token: qa }, async (page) => {
      await row(page, "Draft of QA").waitFor();
      await page.getByRole("button", { name: "Waiting for me" }).click();
      await page.waitForURL(/waiting=me/);
      await row(page, "Draft of QA").waitFor({ state: "detached" });
      await row(page, "Waits for QA").waitFor();
      await row(page, "Security, and perhaps QA").getByText("Security, QA (optional)").waitFor();
      await row(page, "Approved, and perhaps QA").getByText("QA (optional)").waitFor();
      assert.equal(await row(page, /Waits for (security|code)/).count(), 0);
      const shown = (await page.getByRole("listitem").allInnerTexts()).join("\n");
      const places = ["Approved, and perhaps QA", "Security, and perhaps QA", "Waits for QA"].map((one) =>
        shown.indexOf(one),
      );
      assert.deepEqual(
        places.toSorted((a, b) => a - b),
        places,
        "the newest is first, whatever its status",
      );
      await assertAccessibleInEveryLook(page, "requests-waiting");
    });
    await visit(browser, server, "/deployment-requests?waiting=me", { token: developer }, async (page) => {
      await page.getByRole("heading", { name: "No request waits for you" }).waitFor();
      await call("PATCH", "/governance-settings", { requester_may_approve: true });
      try {
        await page.reload();
        await row(page, "Waits for code review").waitFor();
        assert.equal(await row(page, /Waits for (security|QA)/).count(), 0);
      } finally {
        await call("PATCH", "/governance-settings", { requester_may_approve: false });
      }
    });
  });
});
