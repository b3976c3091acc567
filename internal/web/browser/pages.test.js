// Tests of the pages in a browser: the home page, Swagger UI and ReDoc, with the sizes of desktops and phones, light and dark, mouse
// and keyboard, and without access to other hosts.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import axe from 'axe-core';
import { chromium } from 'playwright-core';

import { findChromium, howToInstall } from './chromium.js';
import { startServer } from './server.js';

const desk = { width: 1280, height: 800 };
const telephone = { width: 390, height: 844 };
// Swagger UI is loaded in the first scheme of a size, and follows the system to the second.
const sizes = [
  { viewport: desk, schemes: ['light', 'dark'] },
  { viewport: telephone, schemes: ['dark', 'light'] },
];
const looks = [desk, telephone].flatMap((viewport) => ['light', 'dark'].map((colorScheme) => ({ viewport, colorScheme })));
const nameOf = ({ viewport, colorScheme }) => `${viewport.width}-${colorScheme}`;
// The rules of axe-core whose result depends on colours; that of all others is the same in light and dark.
const colourRules = ['color-contrast', 'link-in-text-block'];

const executablePath = findChromium();
if (!executablePath && process.env.CI) throw new Error(howToInstall);

describe('pages', { skip: executablePath ? false : howToInstall }, () => {
  let server;
  let browser;

  before(async () => {
    server = await startServer();
    // Requests to other hosts fail.
    browser = await chromium.launch({ executablePath, args: ['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'] });
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  // visit opens a page, runs an action on it, and requires that no error occurred.
  async function visit(path, look, action) {
    const context = await browser.newContext(look);
    context.setDefaultTimeout(180_000); // for what never happens: no bound
    try {
      const page = await context.newPage();
      const wrong = [];
      page.on('console', (message) => message.type() === 'error' && wrong.push(`console: ${message.text()}`));
      page.on('pageerror', (error) => wrong.push(`exception: ${error.message}`));
      context.on('request', (request) => isElsewhere(request.url()) && wrong.push(`elsewhere: ${request.url()}`));
      context.on('response', (response) => response.status() >= 400 && wrong.push(`${response.status()}: ${response.url()}`));
      await page.goto(server.url + path);
      await action(page);
      assert.deepEqual(wrong, []);
    } finally {
      await context.close();
    }
  }

  const isElsewhere = (address) => !['data:', 'blob:'].includes(new URL(address).protocol) && new URL(address).origin !== server.url;

  describe('first page', () => {
    for (const look of looks) {
      test(`is easy to read at ${nameOf(look)}`, (t) =>
        visit('/', look, async (page) => {
          await page.getByRole('heading', { level: 1 }).waitFor();
          await keepPicture(page, `home-${nameOf(look)}`);
          assert.equal(await background(page), look.colorScheme === 'dark' ? 'dark' : 'light');
          await assertFits(page);
          assert.deepEqual(await violations(page), []);
          t.diagnostic(`first paint after ${await firstPaint(page)} ms`);
        }));
    }

    test('shows the version, and its links work', () =>
      visit('/', { viewport: desk }, async (page) => {
        const health = await (await page.request.get(`${server.url}/health`)).json();
        await page.getByText(`Version ${health.version}`, { exact: true }).waitFor();
        const ways = await page.locator('main a').evaluateAll((links) => links.map((link) => link.getAttribute('href')));
        assert.deepEqual(ways, ['/app/', '/docs', '/redoc', '/openapi.json', '/health/ready']);
        for (const way of ways) {
          const answer = await page.request.get(server.url + way);
          assert.equal(answer.status(), 200, way);
        }
      }));

    test('begins with a way past the bar for the keyboard', () =>
      visit('/', { viewport: desk }, async (page) => {
        await page.keyboard.press('Tab');
        assert.equal(await focused(page), 'Skip to the content');
        await page.keyboard.press('Enter');
        await page.keyboard.press('Tab');
        assert.match(await focused(page), /^Dashboard.+/s, 'the first way, not the bar');
        await page.keyboard.press('Tab');
        await page.keyboard.press('Enter');
        await page.waitForURL('**/docs');
        await page.getByRole('button', { name: 'Authorize', exact: true }).waitFor();
      }));

    test('runs no script at all', () =>
      visit('/', { viewport: desk, javaScriptEnabled: false }, async (page) => {
        await page.getByRole('link', { name: /^Reference.+/ }).waitFor();
        assert.equal(await page.locator('script').count(), 0);
      }));
  });

  describe('Swagger UI', () => {
    const operation = (page, id) => page.locator(`[id$="-${id}"]`);

    for (const { viewport, schemes } of sizes) {
      test(`is easy to read at ${viewport.width}`, () =>
        visit('/docs', { viewport, colorScheme: schemes[0] }, async (page) => {
          await operation(page, 'createDeploymentEvent').waitFor();
          for (const look of schemes.map((colorScheme) => ({ viewport, colorScheme }))) {
            await follow(page, look);
            await keepPicture(page, `docs-${nameOf(look)}`);
            assert.equal(await background(page), look.colorScheme);
            const authorize = await page.getByRole('button', { name: 'Authorize', exact: true }).boundingBox();
            assert.ok(authorize.y + authorize.height < viewport.height, 'Authorize is seen without scrolling');
          }
          await assertFits(page);

          await operation(page, 'createDeploymentEvent').getByRole('button', { expanded: false }).first().click();
          await operation(page, 'createDeploymentEvent').getByRole('button', { name: 'Execute' }).waitFor();
          await assertFits(page);
          for (const [index, look] of schemes.map((colorScheme) => ({ viewport, colorScheme })).entries()) {
            await follow(page, look);
            await keepPicture(page, `docs-operation-${nameOf(look)}`);
            // Each operation's bar is a button that holds a link and a lock; that is how the tool is built.
            const found = await violations(page, undefined, index > 0 ? colourRules : undefined);
            assert.deepEqual(found.filter(({ id }) => id !== 'nested-interactive'), []);
          }
        }));
    }

    test('sends an event with a key, and it is recorded', () =>
      visit('/docs', { viewport: desk }, async (page) => {
        await page.getByRole('button', { name: 'Authorize', exact: true }).click();
        const scheme = page.locator('.auth-container').filter({ hasText: 'ApiKeyAuth' });
        await scheme.getByRole('textbox').fill(server.key);
        await scheme.getByRole('button', { name: 'Authorize' }).click();
        await page.getByRole('button', { name: 'Close' }).first().click();

        const event = operation(page, 'createDeploymentEvent');
        await event.getByRole('button', { expanded: false }).first().click();
        const body = event.getByRole('textbox', { name: 'Request body' });
        const example = JSON.parse(await body.inputValue());
        await body.fill(JSON.stringify({ ...example, product_name: 'sent from the page' }));
        await event.getByRole('button', { name: 'Execute' }).click();

        const answer = event.locator('.live-responses-table');
        await answer.getByRole('cell', { name: '200', exact: true }).waitFor();
        await answer.getByText('"sent from the page"').waitFor();
        await keepPicture(page, 'docs-answer');

        const headers = { Authorization: `Bearer ${server.token}` };
        const recorded = await (await page.request.get(`${server.url}/deployments/`, { headers })).json();
        assert.deepEqual(recorded.items.map((deployment) => deployment.product_name), ['sent from the page']);
        assert.equal(recorded.items[0].status, example.status);
      }));

    test('asks for credentials by keyboard', () =>
      visit('/docs', { viewport: desk }, async (page) => {
        const authorize = page.getByRole('button', { name: 'Authorize', exact: true });
        await authorize.focus();
        await page.keyboard.press('Enter');
        const dialog = page.getByRole('dialog');
        await dialog.waitFor();
        assert.deepEqual(await violations(page, '.dialog-ux'), []);
        await keepPicture(page, 'docs-dialog');
        await page.keyboard.type(server.key);
        await page.keyboard.press('Enter');
        await dialog.locator('.auth-container').filter({ hasText: 'ApiKeyAuth' }).getByRole('button', { name: 'Remove authorization' }).waitFor();
        await page.keyboard.press('Escape');
        await dialog.waitFor({ state: 'detached' });
        assert.match(await focused(page), /^Authorize/);
      }));

    for (const colorScheme of ['light', 'dark']) {
      test(`opens an operation by keyboard, and shows where it is, in the ${colorScheme}`, () =>
        visit('/docs', { viewport: desk, colorScheme }, async (page) => {
          const bar = operation(page, 'createDeploymentEvent').getByRole('button', { expanded: false }).first();
          await bar.waitFor();
          await page.getByRole('button', { name: 'Authorize', exact: true }).focus();
          for (let stops = 0; stops < 10 && !(await bar.evaluate((element) => element === document.activeElement)); stops++) {
            await page.keyboard.press('Tab');
          }
          assert.notEqual(await bar.evaluate((element) => getComputedStyle(element).outlineStyle), 'none');
          await page.keyboard.press('Enter');
          await operation(page, 'createDeploymentEvent').getByRole('button', { name: 'Execute' }).waitFor();
        }));
    }

    test('fills in no parameter that may stay away', () =>
      visit('/docs', { viewport: desk }, async (page) => {
        const list = operation(page, 'listDeployments');
        await operation(page, 'createDeploymentEvent').waitFor();
        for (let scrolled = 0; scrolled < 100 && !(await list.isVisible()); scrolled++) {
          await page.mouse.wheel(0, 300); // of many operations, those in view alone are rendered
          await page.waitForTimeout(50);
        }
        await list.getByRole('button', { expanded: false }).first().click();
        await list.getByRole('button', { name: 'Execute' }).waitFor();
        const filled = await list.locator('tr[data-param-name]').evaluateAll((rows) =>
          rows.filter((row) => row.querySelector('input, select')?.value).map((row) => row.dataset.paramName),
        );
        assert.deepEqual(filled, ['limit'], 'which has a default');
      }));

    test('keeps the introduction at hand', () =>
      visit('/docs', { viewport: telephone }, async (page) => {
        await page.getByText(/^Your first event · /).click();
        await page.getByRole('heading', { name: 'Errors', exact: true }).waitFor();
        await assertFits(page);
      }));
  });

  describe('ReDoc', () => {
    // A heading's name begins with that of the link to it.
    const title = (page, name) => page.getByRole('heading', { name: new RegExp(`${name}$`) });

    for (const look of looks) {
      test(`is easy to read at ${nameOf(look)}`, () =>
        visit('/redoc', look, async (page) => {
          await title(page, 'Your first event').waitFor();
          await keepPicture(page, `redoc-${nameOf(look)}`);
          assert.equal(await background(page), look.colorScheme);
          await assertFits(page);
          const cut = await page.locator('pre').evaluateAll((all) => all.filter((pre) => pre.scrollWidth > pre.clientWidth).map((pre) => pre.textContent));
          assert.deepEqual(cut, [], 'no command is cut off');
          assert.deepEqual(await violations(page, undefined, look.colorScheme === 'dark' ? colourRules : undefined), []);
        }));
    }

    for (const [how, open] of [
      ['by mouse', (page) => page.getByRole('button', { name: /^Search/ }).click()],
      ['by keyboard', (page) => page.getByRole('button', { name: /^Search/ }).press('Enter')],
      ['by its shortcut', (page) => page.keyboard.press('Control+k')],
    ]) {
      test(`finds an operation ${how}`, () =>
        visit('/redoc', { viewport: desk }, async (page) => {
          await title(page, 'Your first event').waitFor();
          await open(page);
          await page.getByRole('textbox').fill('rotate');
          const found = page.getByRole('link', { name: /rotate Rotate an API key/ });
          await found.waitFor();
          await keepPicture(page, 'redoc-search');
          await found.press('Enter');
          await title(page, 'Rotate an API key').waitFor();
          await keepPicture(page, 'redoc-operation');
          assert.match(page.url(), /rotateapikey$/i);
        }));
    }

    test('has its menu on a telephone', () =>
      visit('/redoc', { viewport: telephone }, async (page) => {
        await page.getByRole('button', { name: 'Open navigation menu' }).click();
        await page.getByText('Deployments', { exact: true }).first().click();
        await page.getByText('List deployments').first().click();
        await title(page, 'List deployments').waitFor();
        await assertFits(page);
      }));
  });
});

/** Saves a screenshot if the variable SCREENSHOTS names a directory. */
async function keepPicture(page, name) {
  if (!process.env.SCREENSHOTS) return;
  await mkdir(process.env.SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
}

/** What axe finds serious or worse, of these rules if named, as rule, number of places, and the first of them. */
async function violations(page, within, rules) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe.source);
  const options = { resultTypes: ['violations'], ...(rules && { runOnly: rules }) };
  const found = await page.evaluate(([root, options]) => globalThis.axe.run(root ?? document, options), [within, options]);
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => ({ id, nodes: nodes.length, first: nodes[0].failureSummary, at: nodes[0].target.join(' ') }));
}

async function assertFits(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= window, `the page is ${content} px wide, the window ${window}`);
}

/** Changes the scheme of the system, and waits until the page has followed: scripts, frames and transitions. */
async function follow(page, { colorScheme }) {
  await page.emulateMedia({ colorScheme });
  const frame = () => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  await frame();
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map((animation) => animation.finished)));
  await frame();
}

/** Whether the page is light or dark, by its colour behind everything. */
async function background(page) {
  const colour = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  return colour.match(/\d+/g).every((part) => Number(part) < 64) ? 'dark' : 'light';
}

async function focused(page) {
  return page.evaluate(() => document.activeElement.textContent);
}

async function firstPaint(page) {
  return page.evaluate(() => Math.round(performance.getEntriesByName('first-contentful-paint')[0].startTime));
}
