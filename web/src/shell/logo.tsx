import { Link } from "@tanstack/react-router";

export function Logo() {
  return (
    <Link to="/" className="flex min-h-7 items-center gap-2 rounded px-1 font-semibold tracking-tight">
      <img src="favicon.svg" width="20" height="20" alt="" />
      Versioner
    </Link>
  );
}
