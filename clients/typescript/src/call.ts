import { type ErrorAnswer, UnexpectedAnswer } from "./errors.js";

/** An answer of the server, with its headers. */
export interface Answer<T> {
  readonly data: T;
  readonly status: number;
  readonly headers: Headers;
  /** The revision of the object, for the header `If-Match`. */
  readonly etag: string | undefined;
  /** The ID of the request in the server's log. */
  readonly requestId: string | undefined;
}

/** A page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** The cursor of the next page; null on the last page. */
  readonly next_cursor: string | null;
}

/** A call in progress: a promise of the answer's body. */
export interface Call<T> extends Promise<T> {
  /** The answer with its headers. */
  answer(): Promise<Answer<T>>;
}

/**
 * A call for a list. `await` returns its first page; `for await` iterates over all its objects, and fetches each page
 * when it is needed.
 */
export interface ListCall<T extends Page<unknown>> extends Call<T>, AsyncIterable<T["items"][number]> {
  /** Iterates over the pages, and fetches each one when it is needed. */
  pages(): AsyncIterableIterator<T>;
}

/** Starts a call. The result has the methods of a list; the operations' types hide them where the answer is no list. */
export function call<T extends Page<unknown>>(fetch: (query?: { cursor: string }) => Promise<Answer<T>>): ListCall<T> {
  const first = fetch();
  const data = first.then((answer) => answer.data);
  let unread: Promise<Answer<T>> | undefined = first;

  /** The first iteration uses the page of the call itself; each later one fetches the first page again. */
  async function* pages(): AsyncIterableIterator<T> {
    let pending: Promise<Answer<T>> | undefined = unread ?? fetch();
    unread = undefined;
    const seen = new Set<string>();
    while (pending !== undefined) {
      const answer: Answer<T> = await pending;
      const page = answer.data as T | null;
      if (!Array.isArray(page?.items))
        throw new UnexpectedAnswer("the answer is no page of a list", toErrorAnswer(answer));
      yield page;
      const next = page.next_cursor ?? null;
      if (next !== null && seen.has(next)) {
        throw new UnexpectedAnswer("the cursor of the next page was used before", toErrorAnswer(answer));
      }
      if (next !== null) seen.add(next);
      pending = next === null ? undefined : fetch({ cursor: next });
    }
  }

  async function* items(): AsyncIterableIterator<T["items"][number]> {
    for await (const page of list.pages()) {
      for (const item of page.items) yield item as Awaited<T["items"][number]>;
    }
  }

  const list: ListCall<T> = Object.assign(data, {
    answer() {
      ignoreRejection(data);
      return first;
    },
    pages() {
      ignoreRejection(data);
      return pages();
    },
    [Symbol.asyncIterator]: items,
  });
  return list;
}

function toErrorAnswer({ data, status, headers }: Answer<unknown>): ErrorAnswer {
  return { body: data, status, headers };
}

/** Prevents an unhandled rejection of a promise that the caller does not await: the other one rejects, too. */
function ignoreRejection(promise: Promise<unknown>): void {
  promise.catch(() => undefined);
}
