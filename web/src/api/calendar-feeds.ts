import { type CalendarFeed, createCalendarFeed, listCalendarFeeds, revokeCalendarFeed } from "@versioner/client";

import { client } from "./client";
import { listOptions, PAGE_SIZE } from "./lists";
import { queryClient } from "./query-client";

/** The addresses at which calendar programs read the deployment calendar, newest first. */
export const feedsQuery = listOptions<CalendarFeed>(["calendar-feeds"], (page, signal) =>
  listCalendarFeeds({ client, signal, query: { limit: PAGE_SIZE, ...page } }),
);

const changed = () => queryClient.invalidateQueries({ queryKey: ["calendar-feeds"] });

/** Creates a feed. The answer is the only one that has its address. */
export async function createFeed(name: string) {
  const created = await createCalendarFeed({ client, body: { name } });
  await changed();
  return created;
}

export async function revokeFeed(id: string): Promise<void> {
  await revokeCalendarFeed({ client, path: { id } });
  await changed();
}
