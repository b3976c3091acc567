// Divides the suites between two processes, each with a server and a browser: most of the time of a suite is waiting. Suites with settings of their
// own are the last, because the server restarts for them.
import { readdir } from "node:fs/promises";

const last = ["notifications", "clerk", "identity-provider", "prefix"].map((name) => `${name}.test.js`);

/** Registers every second suite, from the first or the second one on. */
export async function runShard(shard) {
  const files = (await readdir(new URL(".", import.meta.url))).filter((name) => name.endsWith(".test.js")).sort();
  const all = [...files.filter((file) => !last.includes(file)), ...last];
  for (const file of all.filter((_, index) => index % 2 === shard)) await import(`./${file}`);
}
