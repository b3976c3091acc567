import { type ErrorAnswer, UnexpectedAnswer } from "./errors.js";

/** What the server answered, with the headers that an object alone does not tell. */
export interface Answer<T> {
  readonly data: T;
  readonly status: number;
  readonly headers: Headers;
  /** The revision of the object, for the header `If-Match`. */
  readonly etag: string | undefined;
  /** What to quote when asking for help. */
  readonly requestId: string | undefined;
}

/** A page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Where the next page begins; null on the last one. */
  readonly next_cursor: string | null;
}

/** A call that is under way: a promise of what the server answers. */
export interface Call<T> extends Promise<T> {
  /** The same with the headers. */
  answer(): Promise<Answer<T>>;
}

/**
 * A call for a list. Awaited, it is its first page; iterated over with `for await`, all its objects, of pages that are
 * fetched when they are needed.
 */
export interface ListCall<T extends Page<unknown>> extends Call<T>, AsyncIterable<T["items"][number]> {
  /** The pages, fetched one by one. */
  pages(): AsyncIterableIterator<T>;
}

/** Starts a call. What it asks for may be a list or not: the types of the operations tell. */
export function call<T extends Page<unknown>>(ask: (query?: { cursor: string }) => Promise<Answer<T>>): ListCall<T> {
  const first = ask();
  const data = first.then((answer) => answer.data);
  let unread: Promise<Answer<T>> | undefined = first;

  /** The first page is the one that has been asked for; whoever begins anew asks anew. */
  async function* pages(): AsyncIterableIterator<T> {
    let asked: Promise<Answer<T>> | undefined = unread ?? ask();
    unread = undefined;
    const seen = new Set<string>();
    while (asked !== undefined) {
      const answer: Answer<T> = await asked;
      const page = answer.data as T | null;
      if (!Array.isArray(page?.items)) throw new UnexpectedAnswer("the answer is no page of a list", told(answer));
      yield page;
      const next = page.next_cursor ?? null;
      if (next !== null && seen.has(next)) {
        throw new UnexpectedAnswer("the next page is one that has been read", told(answer));
      }
      if (next !== null) seen.add(next);
      asked = next === null ? undefined : ask({ cursor: next });
    }
  }

  async function* items(): AsyncIterableIterator<T["items"][number]> {
    for await (const page of list.pages()) {
      for (const item of page.items) yield item as Awaited<T["items"][number]>;
    }
  }

  const list: ListCall<T> = Object.assign(data, {
    answer() {
      handled(data);
      return first;
    },
    pages() {
      handled(data);
      return pages();
    },
    [Symbol.asyncIterator]: items,
  });
  return list;
}

/** An answer, for the error that it is. */
function told({ data, status, headers }: Answer<unknown>): ErrorAnswer {
  return { body: data, status, headers };
}

/** Whoever takes the answer elsewhere is told of its failure there, so it is not an unhandled rejection here. */
function handled(promise: Promise<unknown>): void {
  promise.catch(() => undefined);
}
