import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { sessionQuery } from "../api/session";
import { forgetAnswers } from "../api/client";
import { Dialog } from "../components/dialog";
import { onSignedInElsewhere, signInRequired } from "../lib/sign-in-state";
import { SignIn } from "./sign-in";

/** Opens over the page when the session has ended, so that what was typed stays. The provider's page opens in a window of its own. */
export function SignInDialog() {
  const signedIn = useSignedIn();
  useEffect(() => onSignedInElsewhere(signedIn), [signedIn]);
  useEffect(() => {
    // A provider that sets its own cookie does not return to the dashboard: the session is tried when the user does.
    addEventListener("focus", signedIn);
    return () => removeEventListener("focus", signedIn);
  }, [signedIn]);
  return (
    <Dialog title="Your session has ended" onClose={() => signInRequired.set(false)}>
      <div className="flex flex-col gap-4 p-4">
        <p className="text-muted">Sign in to go on. What you have typed on this page stays.</p>
        <SignIn page="/signed-in" open={openWindow} onSignedIn={signedIn} />
      </div>
    </Dialog>
  );
}

function openWindow(url: string): void {
  const opened = window.open(url, "_blank", "popup,width=520,height=680");
  if (!opened) location.assign(url);
}

/** Returns the function that tries the new session. The page of another account would mix the data of two: it is loaded again. */
function useSignedIn(): () => void {
  const queries = useQueryClient();
  return () => {
    const before = queries.getQueryData(sessionQuery.queryKey)?.account.id;
    queries.fetchQuery({ ...sessionQuery, staleTime: 0, retry: false }).then(({ account }) => {
      forgetAnswers();
      if (before !== undefined && before !== account.id) location.reload();
      signInRequired.set(false);
      void queries.invalidateQueries();
    }, ignoreFailure);
  };
}

/** The dialog stays open: the user is not signed in yet, or the banner shows that the server is away. */
function ignoreFailure(): void {}
