/** The packed package: installed in an empty project, compiled, bundled, and run against a server. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createContext, runInContext } from "node:vm";
import { gzipSync } from "node:zlib";

import { build, type BuildOptions } from "esbuild";
import ts from "typescript";

import { VERSION } from "../src/send.js";
import { script } from "./script.js";

const CLIENT = fileURLToPath(new URL("../..", import.meta.url));
const REPOSITORY = join(CLIENT, "../..");
const TSC = join(CLIENT, "node_modules/typescript/bin/tsc");
const EXAMPLE_URL = "https://versioner.example.com";
const LONGEST_BUNDLE = 10_000;
const IN_NODE = ["--module", "nodenext", "--target", "es2022", "--lib", "es2022", "--types", "node"];
const IN_BROWSERS =
  "--module esnext --moduleResolution bundler --target es2022 --lib es2022,dom --types react --jsx react-jsx".split(
    " ",
  );
const PREAMBLE = `
  import {
    type Client, createVersioner, getProduct, listDeployments, listEnvironmentState, NotModified, updateProduct, ValidationError,
  } from "@versioner/client";
  declare const client: Client, credential: string, error: unknown, id: string;
`;
/** The part of React that a page needs which fetches once and sets its state once. */
const REACT = `
  let state, changed;
  export const useState = (initial) => [state ?? initial, (next) => { state = next; changed(); }];
  export const useEffect = (effect) => { if (state === undefined) effect(); };
  export const jsx = (type, { children }, key) => ({ type, key, children });
  globalThis.show = async (page, props) => {
    const change = new Promise((resolve) => (changed = resolve));
    page(props);
    await change;
    return page(props);
  };
`;
const ONE_CALL = `
  import { createClient, createDeploymentEvent } from "@versioner/client";
  const client = createClient({ baseUrl: address, credential: "sk_demo_k1_secret" });
  const body = { product_name: "checkout", version: "1", environment_name: "production", status: "completed" };
  createDeploymentEvent({ client, body }).then(done, done);
`;

const home = await mkdtemp(join(tmpdir(), "versioner-"));
const project = join(home, "project");
const installed = join(project, "node_modules/@versioner/client");

before(async () => {
  // The server started by root runs PostgreSQL as another user, who needs access to the directory.
  await chmod(home, 0o755);
  await mkdir(project);
  await writeFile(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await run("npm", ["pack", "--silent", "--pack-destination", home], CLIENT);
  const archive = (await readdir(home)).find((name) => name.endsWith(".tgz"));
  await run("npm", ["install", "--silent", "--offline", "--no-audit", "--no-fund", join(home, String(archive))]);
  // Users install the types of Node and React themselves.
  await symlink(join(CLIENT, "node_modules/@types"), join(project, "node_modules/@types"));
  for (const file of ["sample.ts", "browser.ts", "wrong.ts"])
    await copyFile(join(CLIENT, "tests/package", file), join(project, file));
  const [pipeline, page, ...parts] = await examples();
  await writeFile(join(project, "pipeline.ts"), String(pipeline));
  await writeFile(join(project, "page.tsx"), String(page));
  await writeFile(join(project, "parts.ts"), PREAMBLE + parts.map((part) => `{\n${part}\n}\n`).join(""));
});

after(() => rm(home, { recursive: true, force: true }));

test("the archive has the expected files", async () => {
  const { version, dependencies } = JSON.parse(await readFile(join(installed, "package.json"), "utf8")) as {
    version: string;
    dependencies?: unknown;
  };
  assert.equal(version, VERSION);
  assert.equal(dependencies, undefined);
  const files = await readdir(installed, { recursive: true });
  for (const wanted of [
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
    "dist/index.d.ts",
    "dist/index.js",
    "dist/index.js.map",
  ])
    assert(files.includes(wanted), wanted);
  const other = files.filter(
    (name) =>
      !/^(LICENSE|README\.md|CHANGELOG\.md|package\.json|dist|dist\/.*(\.js|\.js\.map|\.d\.ts|generated))$/.test(name),
  );
  assert.deepEqual(other, []);
});

test("tsc --strict accepts the samples and the README", async () => {
  await run(TSC, ["--strict", ...IN_NODE, "pipeline.ts", "sample.ts", "parts.ts"]);
  await run(TSC, ["--strict", "--noEmit", ...IN_BROWSERS, "page.tsx", "browser.ts"]);
});

test("tsc --strict finds wrong types", async () => {
  const source = await readFile(join(project, "wrong.ts"), "utf8");
  const lines = source
    .split("\n")
    .flatMap((line, index) => (/^(const number|await|for await)/.test(line) ? [index + 1] : []));
  const command = run(TSC, ["--strict", "--noEmit", ...IN_NODE, "wrong.ts"]);
  await assert.rejects(command, ({ message }: Error) => {
    const found = [...message.matchAll(/^wrong\.ts\((\d+),/gm)].map((match) => Number(match[1]));
    assert.deepEqual([...new Set(found)], lines, message);
    return true;
  });
});

test("the public types contain no any", async () => {
  const files = (await readdir(join(installed, "dist"), { recursive: true })).filter((name) => name.endsWith(".d.ts"));
  assert(files.includes("generated/types.gen.d.ts"));
  for (const name of files) {
    const text = await readFile(join(installed, "dist", name), "utf8");
    const file = ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true);
    const look = (node: ts.Node): void => {
      const { line } = file.getLineAndCharacterOfPosition(node.pos);
      assert.notEqual(node.kind, ts.SyntaxKind.AnyKeyword, `${name}:${line + 1} says any`);
      ts.forEachChild(node, look);
    };
    look(file);
  }
});

test("bundles are small, and contain only the operations that they call", async (t) => {
  const code = await bundle({ stdin: { contents: ONE_CALL, resolveDir: project } });
  assert(code.includes("/deployment-events/"));
  assert(!code.includes("/products/"), "an operation that is not called is left out");
  const page = await bundle({ entryPoints: [join(project, "page.tsx")], jsx: "automatic", external: ["react"] });
  assert(page.includes("/environment-state/"));
  for (const [name, text] of Object.entries({ "one call": code, "the README's page": page })) {
    const size = gzipSync(text, { level: 9 }).length;
    t.diagnostic(`${name}: ${size} bytes, gzipped`);
    assert(size <= LONGEST_BUNDLE, `${size} bytes`);
  }
});

test("the README's page shows the answer", async (t) => {
  const server = await script(t);
  const row = { product_id: "p", environment_id: "e", product_name: "checkout", version: "1.4.2" };
  server.replyWith({ status: 200, body: { items: [row], next_cursor: null } });
  await writeFile(join(project, "react.js"), REACT);
  const react = join(project, "react.js");
  const code = await bundle({
    entryPoints: [join(project, "page.tsx")],
    jsx: "automatic",
    alias: { react, "react/jsx-runtime": react },
  });
  await writeFile(join(project, "page-here.js"), code.replace(EXAMPLE_URL, server.url));
  const { Running } = (await import(join(project, "page-here.js"))) as { Running: unknown };
  const { show } = globalThis as unknown as { show: (page: unknown, props: object) => Promise<unknown> };
  const shown = await show(Running, { token: async () => "eyJ" });
  assert.deepEqual(shown, [{ type: "p", key: "pe", children: "checkout 1.4.2" }]);
  assert.equal(server.requests[0]?.path, "/environment-state/");
  assert.equal(server.requests[0]?.headers.authorization, "Bearer eyJ");
});

test("needs only the globals of browsers", async (t) => {
  const server = await script(t);
  server.replyWith({ status: 503 }, { status: 200, body: { id: "d1" } });
  const code = await bundle({ stdin: { contents: ONE_CALL, resolveDir: project } });
  const web = { fetch, Headers, URL, URLSearchParams, AbortController, crypto, setTimeout, clearTimeout };
  const outcome = await new Promise((done) => {
    runInContext(code, createContext({ ...web, address: server.url, done }));
  });
  assert.deepEqual({ ...(outcome as object) }, { id: "d1" });
  const keys = server.requests.map((request) => request.headers["idempotency-key"]);
  assert.equal(keys.length, 2);
  assert.equal(new Set(keys).size, 1);
  assert.doesNotMatch(server.requests[0]?.headers["user-agent"] ?? "", /versioner/);
});

test("runs against a server", async (t) => {
  if (!process.env["CI"] && !(await run("go", ["version"]).catch(() => undefined))) {
    t.skip("go is not installed, and the server cannot be built");
    return;
  }
  const page = await servePage(t);
  const { url, key, token } = await serve(t, page);

  await t.test("the sample", async () => {
    assert.equal(await run("node", ["sample.js", url, key, token]), "done\n");
  });

  await t.test("the README's pipeline", async () => {
    const source = await readFile(join(project, "pipeline.js"), "utf8");
    assert(source.includes(EXAMPLE_URL));
    await writeFile(join(project, "pipeline-here.js"), source.replace(EXAMPLE_URL, url));
    const env = { ...process.env, VERSION: "9.9.9", VERSIONER_API_KEY: key };
    assert.match(await run("node", ["pipeline-here.js"], project, env), /^\S{36} completed\n$/);
  });

  await t.test("a page in Chromium", async (t) => {
    const chromium = await findChromium();
    if (chromium === undefined) {
      assert(!process.env["CI"], "Chromium is not installed: set the variable CHROMIUM to its path");
      t.skip("Chromium is not installed");
      return;
    }
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${join(home, "chromium")}`];
    // The virtual time stops while the page waits for the server.
    const shown = await run(chromium, [
      ...flags,
      "--virtual-time-budget=30000",
      "--dump-dom",
      `${page}/#${url}#${token}`,
    ]);
    assert.equal(/<title>(.*?)<\/title>/.exec(shown)?.[1], "done");
  });
});

/** The code in the README: two programs, then fragments. */
async function examples(): Promise<string[]> {
  const text = await readFile(join(CLIENT, "README.md"), "utf8");
  const blocks = [...text.matchAll(/^ *```tsx?\n([^]*?)^ *```/gm)].map((match) => match[1] ?? "");
  assert.deepEqual(
    blocks.map((block) => block.startsWith("import")),
    [true, true, false, false, false, false, false],
  );
  return blocks;
}

async function bundle(options: BuildOptions): Promise<string> {
  const common = { bundle: true, minify: true, write: false, platform: "browser", format: "esm" } as const;
  const { outputFiles } = await build({ ...common, ...options });
  return outputFiles?.[0]?.text ?? "";
}

async function run(program: string, args: string[], cwd = project, env = process.env): Promise<string> {
  try {
    return (await promisify(execFile)(program, args, { cwd, env, timeout: 300_000 })).stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(" ")}\n${stdout}\n${stderr}`, { cause: error });
  }
}

/** Serves the page of browser.ts until the test ends. Returns its origin. */
async function servePage(t: TestContext): Promise<string> {
  const code = await bundle({ entryPoints: [join(project, "browser.ts")] });
  const listener = createServer((_, response) => {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(`<!doctype html><title>waiting</title><script type="module">${code}</script>`);
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    listener.closeAllConnections();
    listener.close();
  });
  return `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
}

/** Returns the path in the variable CHROMIUM, or else the name of an installed Chromium. */
async function findChromium(): Promise<string | undefined> {
  for (const name of [
    process.env["CHROMIUM"] ?? "",
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
  ]) {
    if (name !== "" && (await run(name, ["--version"]).catch(() => undefined))) return name;
  }
  return undefined;
}

/** Runs a server of this repository, with a key and a token, until the test ends. It permits requests of the origin. */
async function serve(t: TestContext, origin: string): Promise<{ url: string; key: string; token: string }> {
  const program = join(home, "versionerd");
  const data = join(home, "data");
  await run("go", ["build", "-o", program, "./cmd/versionerd"], REPOSITORY);
  const variables = Object.entries(process.env);
  const env = Object.fromEntries(variables.filter(([name]) => !/^(DATABASE_URL$|VERSIONER_)/.test(name)));
  const server = spawn(program, ["dev", "--addr", "127.0.0.1:0", "--data-dir", data], {
    cwd: home,
    env: { ...env, VERSIONER_CORS_ORIGINS: origin },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 300_000,
  });
  const ended = once(server, "exit");
  t.after(async () => {
    server.kill();
    await ended;
  });
  let log = "";
  server.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  let banner = "";
  for await (const line of createInterface({ input: server.stdout })) {
    banner += `${line}\n`;
    if (line.includes("Ctrl-C")) break;
  }
  const url = /listening on (\S+)/.exec(banner)?.[1];
  const key = /Bearer (sk_\w+)/.exec(banner)?.[1];
  assert(url && key, banner + log);
  return { url, key, token: (await run(program, ["token", "--data-dir", data], home, env)).trim() };
}
