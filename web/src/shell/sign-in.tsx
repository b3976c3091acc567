import { useMutation, useQuery } from "@tanstack/react-query";
import type { SignInProvider } from "@versioner/client";

import { providersQuery, signInForDevelopment, signInURL } from "../api/session";
import { Button } from "../components/button";
import { ErrorState, InlineError, Skeleton } from "../components/states";

/** What to do with a provider that needs a page of its own: navigate, or open a window beside a page with unsaved texts. */
type Open = (url: string) => void;

interface SignInProps {
  /** The page of the dashboard to return to. */
  page: string;
  open: Open;
  onSignedIn: () => void;
}

/** The ways to sign in that the server offers. */
export function SignIn({ page, open, onSignedIn }: SignInProps) {
  const { data, error, refetch } = useQuery(providersQuery);
  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton className="h-9" />;
  if (data.length === 0) return <NoProvider />;
  return (
    <div className="flex flex-col gap-2">
      {data.map((provider) =>
        provider.type === "development" ? (
          <DevelopmentButton key={provider.url} provider={provider} onSignedIn={onSignedIn} />
        ) : (
          <Button key={provider.url} kind="primary" className="min-h-9" onClick={() => open(signInURL(provider, page))}>
            <span className="truncate">
              Continue with <bdi>{provider.name}</bdi>
            </span>
          </Button>
        ),
      )}
    </div>
  );
}

function DevelopmentButton({ provider, onSignedIn }: { provider: SignInProvider; onSignedIn: () => void }) {
  const signIn = useMutation({ mutationFn: () => signInForDevelopment(provider), onSuccess: onSignedIn });
  return (
    <>
      <Button kind="primary" className="min-h-9" busy={signIn.isPending} onClick={() => signIn.mutate()}>
        <span className="truncate">
          Continue as <bdi>{provider.name}</bdi>
        </span>
      </Button>
      <InlineError error={signIn.error} />
    </>
  );
}

function NoProvider() {
  return (
    <p className="text-muted">
      This server has no identity provider for sign-in. Its operator sets one: the variables are described in the guide
      to identity providers.
    </p>
  );
}
