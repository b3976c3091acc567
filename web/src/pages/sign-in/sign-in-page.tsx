import { useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";

import { Logo } from "../../shell/logo";
import { SignIn } from "../../shell/sign-in";

const PAGE = "/sign-in";

const FAILURES: Record<string, string> = {
  denied: "The sign-in was declined at the identity provider.",
  expired: "The link or the sign-in has expired, or was used before. Sign in again.",
  failed: "The sign-in failed. The log of the server has the reason.",
  forbidden: "Your organisation has no account on this server. Ask its operator.",
  too_many_requests: "Too many sign-ins failed. Wait a minute and try again.",
  unavailable: "The identity provider cannot be reached. Try again in a moment.",
  unknown_provider: "The server does not have this identity provider.",
};

/** Returns the page of the dashboard that a failed sign-in was for. */
function pageOf(returnTo = ""): string {
  return returnTo.startsWith("/app/") ? returnTo.slice("/app".length) : "/";
}

/** Shown in place of all pages without a session; afterwards the browser is on the page that was requested. */
export default function SignInPage() {
  const { pathname, searchStr, search } = useRouterState({ select: (state) => state.location });
  const { error, return_to } = search as { error?: string; return_to?: string };
  const page = pathname === PAGE ? pageOf(return_to) : pathname + searchStr;
  useEffect(() => {
    document.title = "Sign in · Versioner";
  }, []);
  return (
    <main className="flex min-h-dvh items-start justify-center px-4 pt-[18vh]">
      <div className="flex w-full max-w-sm flex-col gap-5 rounded-xl border border-line bg-surface p-6">
        <Logo />
        <div>
          <h1 className="text-xl font-semibold tracking-tight">Sign in</h1>
          <p className="mt-1 text-muted">See which version runs where, since when, and who deployed it.</p>
        </div>
        {error ? (
          <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
            {FAILURES[error] ?? FAILURES["failed"]}
          </p>
        ) : null}
        <SignIn page={page} open={(url) => location.assign(url)} onSignedIn={() => location.assign(`.${page}`)} />
      </div>
    </main>
  );
}
