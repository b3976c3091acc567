/** A server that answers by script. */
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

/** What the server answers: status 0 hangs up instead, "silence" says nothing for ever. */
export interface Reply {
  status: number | "silence";
  body?: unknown;
  headers?: Record<string, string>;
}

/** What the server was asked. */
export interface Asked {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingHttpHeaders;
  body: unknown;
}

export const OK: Reply = { status: 200, body: PRODUCT };
export const HANGS_UP: Reply = { status: 0 };

export interface Script {
  url: string;
  asked: Asked[];
  /** The answers, in order; the last one stands for all that follow. */
  says(...replies: Reply[]): void;
  /** The answer to each question, which may be asked at the same time as another. */
  replies(to: (request: Asked) => Reply): void;
  /** A client of this server that does not wait long between its tries. */
  client(options?: ClientOptions): Client;
}

export async function script(t: TestContext): Promise<Script> {
  const asked: Asked[] = [];
  let replies: Reply[] = [];
  const inOrder = () => (replies.length > 1 ? replies.shift() : replies[0]) ?? { status: 500 };
  let reply: (request: Asked) => Reply = inOrder;
  const listener = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      const { pathname, searchParams } = new URL(request.url ?? "", "http://server");
      const question = {
        method: request.method ?? "",
        path: pathname,
        query: Object.fromEntries(searchParams),
        headers: request.headers,
        body: text === "" ? undefined : (JSON.parse(text) as unknown),
      };
      asked.push(question);
      answer(response, reply(question));
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
    asked,
    says: (...next) => {
      replies = next;
      reply = inOrder;
    },
    replies: (to) => void (reply = to),
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

/** Makes the environment of this process look so, until the test ends. */
export function environment(t: TestContext, variables: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(variables)) {
    const former = process.env[name];
    const set = (to: string | undefined) => (to === undefined ? delete process.env[name] : (process.env[name] = to));
    set(value);
    t.after(() => void set(former));
  }
}
