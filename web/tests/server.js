// A server of the test's own on a free port, with its data in a temporary directory.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

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

/** Starts `versionerd dev`; with `demo`, the account has the invented history of `versionerd demo`. */
export async function startServer({ demo = false, address = "127.0.0.1:0", settings = {} } = {}) {
  const home = await mkdtemp(join(tmpdir(), "versioner-web-"));
  await chmod(home, 0o755); // for root, PostgreSQL runs as another user
  const data = join(home, "data");
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: tmpdir(), ...settings };
  const command = async (...args) => (await run(program, [...args, "--data-dir", data], { env })).stdout.trim();

  let server;
  const start = async (address, isFirst = true) => {
    server = spawn(program, ["dev", "--addr", address, "--data-dir", data, "--drain-delay", "0s"], { env });
    return started(server, isFirst);
  };
  const end = async () => {
    const ended = once(server, "exit");
    server.kill("SIGTERM");
    await ended;
  };
  const stop = async () => {
    await end();
    await rm(home, { recursive: true, force: true });
  };
  try {
    const { url, key, link } = await start(address);
    if (demo) await command("demo", "--account", "demo");
    const token = (role = "admin") => command("token", "--account", "demo", "--role", role);
    return { url, key, link, token, stop, end, restart: () => start(new URL(url).host, false) };
  } catch (error) {
    await stop();
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
