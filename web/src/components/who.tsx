import { Name } from "./name";

/** Who did it: the name, or the login, and the address. */
export function Who({ name, login, email }: { name: string | null; login: string | null; email: string | null }) {
  const shown = name || login;
  if (!shown && !email) return <span className="text-muted">not reported</span>;
  return (
    <>
      {shown ? <Name>{shown}</Name> : null}
      {email ? <Name className="text-sm text-muted">{email}</Name> : null}
    </>
  );
}
