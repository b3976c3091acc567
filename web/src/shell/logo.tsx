import { Link } from "@tanstack/react-router";

/** The name of the product with its mark, which is drawn here: the first page saves a request. */
export function Logo() {
  return (
    <Link to="/" className="flex min-h-7 items-center gap-2 rounded px-1 font-semibold tracking-tight">
      <svg viewBox="0 0 32 32" className="size-5" aria-hidden="true">
        <rect width="32" height="32" rx="7" fill="#0f766e" />
        <path
          d="M8 9l8 15 8-15"
          fill="none"
          stroke="#fff"
          strokeWidth="4"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
        <circle cx="16" cy="9" r="2.5" fill="#5eead4" />
      </svg>
      Versioner
    </Link>
  );
}
