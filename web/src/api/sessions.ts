import { endSession, endSessions, listSessions, type Session } from "@versioner/client";

import { client } from "./client";
import { listOptions, PAGE_SIZE } from "./lists";

/** The active sessions of the signed-in user, newest first. */
export const sessionsQuery = listOptions<Session>(["sessions"], (page, signal) =>
  listSessions({ client, signal, query: { limit: PAGE_SIZE, ...page } }),
);

export const endOne = (id: string) => endSession({ client, path: { id } });

/** Ends all sessions of the user, that of the browser included. */
export const endAll = () => endSessions({ client });
