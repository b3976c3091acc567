import { createStore } from "./store";

/** Whether the session has ended, or there is none: the sign-in dialog is open then. */
export const signInRequired = createStore(false);

export function requireSignIn(): void {
  signInRequired.set(true);
}
