// The npm package oidc-provider, a third-party identity provider, with its own pages for login, consent and logout.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { freeAddress } from "./server.js";

const folder = fileURLToPath(new URL("../../internal/testoidc/provider/", import.meta.url));

/** Starts a provider that sends browsers back to the dashboard at `dashboard`. */
export async function startProvider(dashboard) {
  const url = `http://${await freeAddress()}`;
  const args = ["provider.mjs", new URL(url).port, "first", `${dashboard}/auth/callback`, "pages"];
  const provider = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  const stop = async () => {
    const ended = once(provider, "exit");
    if (provider.kill()) await ended;
  };
  for await (const line of createInterface(provider.stdout)) {
    if (line !== "listening") continue;
    provider.stdout.resume();
    return { url, stop };
  }
  throw new Error("the identity provider ended before it listened: `make identity-provider` installs it");
}
