// Runs all tests in one process, so that they share a server and a browser. Suites with settings of their own are the last: the server
// restarts for them.
import { readdir } from "node:fs/promises";

const last = ["notifications", "clerk", "identity-provider", "prefix"].map((name) => `${name}.test.js`);
const files = (await readdir(new URL(".", import.meta.url))).filter((name) => name.endsWith(".test.js")).sort();
for (const file of [...files.filter((file) => !last.includes(file)), ...last]) await import(`./${file}`);
