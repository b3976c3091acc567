/** A server with scripted answers. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

import { type Client, type ClientOptions, createClient } from "../src/index.js";

export const PRODUCT = {
  id: "01a208e8-3984-70ee-9241-9fbc66602e9b",
  name: "checkout",
  description: "",
  extra_metadata: { team: "shop" },
  created_at: "2026-11-23T14:56:06.535496Z",
  updated_at: "2026-11-23T14:56:06.535496Z",
};

/** One answer of the server: status 0 closes the connection instead, "silence" never answers. */
export interface Reply {
  status: number | "silence";
  body?: unknown;
  headers?: Record<string, string>;
}

/** A request that the server received. */
export interface ReceivedRequest {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingHttpHeaders;
  body: unknown;
}

export const OK: Reply = { status: 200, body: PRODUCT };
export const DISCONNECT: Reply = { status: 0 };

export interface Script {
  url: string;
  requests: ReceivedRequest[];
  /** Answer in this order; the last answer is repeated. */
  replyWith(...replies: Reply[]): void;
  /** Answer each request with the result of a function, which requests may call concurrently. */
  replyBy(to: (request: ReceivedRequest) => Reply): void;
  /** A client of this server with short waits between attempts. */
  client(options?: ClientOptions): Client;
}

export async function script(t: TestContext): Promise<Script> {
  const requests: ReceivedRequest[] = [];
  let replies: Reply[] = [];
  const inOrder = () => (replies.length > 1 ? replies.shift() : replies[0]) ?? { status: 500 };
  let reply: (request: ReceivedRequest) => Reply = inOrder;
  const listener = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      const { pathname, searchParams } = new URL(request.url ?? "", "http://server");
      const received = {
        method: request.method ?? "",
        path: pathname,
        query: Object.fromEntries(searchParams),
        headers: request.headers,
        body: text === "" ? undefined : (JSON.parse(text) as unknown),
      };
      requests.push(received);
      answer(response, reply(received));
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    listener.closeAllConnections();
    listener.close();
  });
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  return {
    url,
    requests,
    replyWith: (...next) => {
      replies = next;
      reply = inOrder;
    },
    replyBy: (to) => void (reply = to),
    client: (options) => createClient({ baseUrl: url, retries: { firstWait: 1 }, ...options }),
  };
}

function answer(response: ServerResponse, { status, body, headers }: Reply): void {
  if (status === "silence") return;
  if (status === 0) {
    response.destroy();
    return;
  }
  response.writeHead(status, headers);
  response.end(typeof body === "string" || body === undefined ? body : JSON.stringify(body));
}

/** Sets environment variables until the test ends. */
export function environment(t: TestContext, variables: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(variables)) {
    const former = process.env[name];
    const set = (to: string | undefined) => (to === undefined ? delete process.env[name] : (process.env[name] = to));
    set(value);
    t.after(() => void set(former));
  }
}
