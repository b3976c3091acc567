// Verify X-Versioner-Signature: HMAC-SHA256 over the body, exactly as it was received.

import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { argv, exit } from "node:process";
import { pathToFileURL } from "node:url";

export function isFromVersioner(body, signature, secret) {
  const expected = Buffer.from("sha256=" + createHmac("sha256", secret).update(body).digest("hex"));
  const received = Buffer.from(signature);
  return expected.length === received.length && timingSafeEqual(expected, received);
}

// Try it out: node verify_webhook.mjs SIGNATURE SECRET < body
if (import.meta.url === pathToFileURL(argv[1]).href) {
  const genuine = isFromVersioner(readFileSync(0), argv[2], argv[3]);
  console.log(genuine ? "genuine" : "forged");
  exit(genuine ? 0 : 1);
}
