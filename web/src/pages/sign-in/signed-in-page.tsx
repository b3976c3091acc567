import { useEffect } from "react";

import { EmptyState } from "../../components/states";
import { Page } from "../../components/page";
import { announceSignIn } from "../../lib/sign-in-state";

/** The end of a sign-in in a window of its own: it announces it to the page that waits, and closes. */
export default function SignedInPage() {
  useEffect(() => {
    announceSignIn();
    close();
  }, []);
  return (
    <Page title="Signed in">
      <EmptyState title="You are signed in">Close this window to go on.</EmptyState>
    </Page>
  );
}
