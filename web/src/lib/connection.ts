import { createStore } from "./store";

/** Since when requests fail (milliseconds), and when one last succeeded. */
export interface Connection {
  failedSince: number | null;
  succeededAt: number | null;
}

export const connectionStore = createStore<Connection>({ failedSince: null, succeededAt: null });

export const connection = {
  failed(): void {
    const state = connectionStore.get();
    if (state.failedSince === null) connectionStore.set({ ...state, failedSince: Date.now() });
  },
  succeeded(): void {
    connectionStore.set({ failedSince: null, succeededAt: Date.now() });
  },
};
