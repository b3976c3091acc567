import { createStore } from "./store";

/** Whether the last request failed because the server is away. */
export const connectionStore = createStore(false);

export const connection = {
  failed: () => connectionStore.set(true),
  succeeded: () => connectionStore.set(false),
};
