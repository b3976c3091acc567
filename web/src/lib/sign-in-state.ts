import { createStore } from "./store";

/** Whether the session has ended while a page is open: the sign-in dialog is open then. */
export const signInRequired = createStore(false);

export function requireSignIn(): void {
  signInRequired.set(true);
}

/** Tabs of this browser say here that the user has signed in. */
const channel = new BroadcastChannel("versioner.session");

/** Calls the listener when the user has signed in in another tab; returns the function that ends it. */
export function onSignedInElsewhere(listener: () => void): () => void {
  channel.addEventListener("message", listener);
  return () => channel.removeEventListener("message", listener);
}

export function announceSignIn(): void {
  channel.postMessage("signed-in");
}
