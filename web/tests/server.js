// A server of the tests' own on a free port, with its data in a temporary directory.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual, promisify } from "node:util";

const program = fileURLToPath(new URL("../../bin/versionerd", import.meta.url));
const run = promisify(execFile);

/** Returns an address of this machine without a listener. */
export async function freeAddress() {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();
  listener.close();
  return `127.0.0.1:${port}`;
}

/**
 * Starts `versionerd dev`; with `demo`, its account has the invented history of `versionerd demo`. Returns its address, the first API
 * key, the link that signs in since the last start, and functions that return a session token, end and restart the program, restart
 * it with other settings unless it has them, and stop it and delete its data.
 */
export async function startServer({ demo = false } = {}) {
  const home = await mkdtemp(join(tmpdir(), "versioner-web-"));
  await chmod(home, 0o755); // for root, PostgreSQL runs as another user
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: tmpdir() };
  const data = ["--data-dir", join(home, "data")];
  const command = async (...args) => (await run(program, [...args, ...data], { env })).stdout.trim();
  const tokens = new Map();
  let child;
  let settings = {};

  const start = async (address, isFirst) => {
    const args = ["dev", "--addr", address, ...data, "--drain-delay", "0s"];
    child = spawn(program, args, { env: { ...env, ...settings } });
    return started(child, isFirst);
  };
  const server = {
    async token(role = "admin", account = "demo") {
      const user = `${role} of ${account}`;
      if (!tokens.has(user)) tokens.set(user, command("token", "--account", account, "--role", role));
      return tokens.get(user);
    },
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
    async restart() {
      for (let attempt = 1; ; attempt++) {
        try {
          ({ link: server.link } = await start(new URL(server.url).host, false));
          return;
        } catch (error) {
          // A connection of another program may have taken the port.
          if (!/address already in use/.test(error.message) || attempt === 60) throw error;
          await pause(1_000);
        }
      }
    },
    async configure(others) {
      if (isDeepStrictEqual(settings, others)) return;
      settings = others;
      await server.end();
      await server.restart();
    },
    async stop() {
      await server.end();
      await rm(home, { recursive: true, force: true });
    },
  };
  try {
    Object.assign(server, await start("127.0.0.1:0", true));
    if (demo) await command("demo", "--account", "demo");
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Reads what the server prints when it listens: its address, the key at its first start, and the link that signs in. */
async function started(server, isFirst) {
  let logs = "";
  server.stderr.on("data", (text) => {
    logs += text;
  });
  let url, key;
  for await (const line of createInterface(server.stdout)) {
    url ??= line.match(/listening on (http\S+)/)?.[1];
    key ??= line.match(/Bearer (sk_\w+)/)?.[1];
    const link = line.match(/^http\S+\/auth\/dev\?token=\S+$/)?.[0];
    if (url && link && (key || !isFirst)) {
      server.stdout.resume();
      return { url, key, link };
    }
  }
  throw new Error(`${program} ended before it listened:\n${logs}`);
}

/** Calls an operation of the API with a credential, and returns the decoded answer, which must be a success. */
export async function callServer(server, credential, method, path, body) {
  const answer = await fetch(server.url + path, {
    method,
    headers: { Authorization: `Bearer ${credential}`, "Content-Type": "application/json" },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? null : answer.json();
}
