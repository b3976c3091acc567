// A server of the test's own: a demo account on a free port, with its data in a temporary directory.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = fileURLToPath(new URL('../../../bin/versionerd', import.meta.url));

/** Starts `versionerd dev`. Returns its address, an API key, a session token, and a function that stops it. */
export async function startServer() {
  const home = await mkdtemp(join(tmpdir(), 'versioner-pages-'));
  await chmod(home, 0o755); // for root, PostgreSQL runs as another user
  const data = join(home, 'data');
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: tmpdir() };

  const server = spawn(program, ['dev', '--addr', '127.0.0.1:0', '--data-dir', data, '--drain-delay', '0s'], { env });
  const stopped = once(server, 'exit');
  const stop = async () => {
    server.kill('SIGTERM');
    await stopped;
    await rm(home, { recursive: true, force: true });
  };
  try {
    const { url, key } = await welcome(server);
    const token = await promisify(execFile)(program, ['token', '--account', 'demo', '--role', 'admin', '--data-dir', data], { env });
    return { url, key, token: token.stdout.trim(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Reads what the server prints when it listens: its address and the first key. */
async function welcome(server) {
  let logs = '';
  server.stderr.on('data', (text) => {
    logs += text;
  });
  let url;
  for await (const line of createInterface(server.stdout)) {
    url ??= line.match(/listening on (http\S+)/)?.[1];
    const key = line.match(/Bearer (sk_\w+)/)?.[1];
    if (url && key) {
      server.stdout.resume();
      return { url, key };
    }
  }
  throw new Error(`${program} ended before it listened:\n${logs}`);
}
