import { useQueryClient } from "@tanstack/react-query";

import { Button } from "../components/button";
import { Dialog } from "../components/dialog";
import { signInRequired } from "../lib/sign-in-state";

/** Opens over the page when the session has ended, so that what was typed stays. */
export function SignInDialog() {
  const queries = useQueryClient();
  const close = () => signInRequired.set(false);
  const retry = () => {
    close();
    void queries.invalidateQueries();
  };
  return (
    <Dialog title="Sign in" onClose={close}>
      <div className="flex flex-col gap-3 p-4">
        <p>The server does not accept the session. Sign in at your identity provider, and try again.</p>
        <Button kind="primary" onClick={retry}>
          Try again
        </Button>
      </div>
    </Dialog>
  );
}
