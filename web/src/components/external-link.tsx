import { safeURL } from "../lib/links";
import { LinkOutIcon } from "./icons";

/** A link to an address that an event reported. Addresses that are not http or https are text. */
export function ExternalLink({ href, children }: { href: string | null | undefined; children?: React.ReactNode }) {
  if (!href) return null;
  const url = safeURL(href);
  if (!url) return <bdi className="text-muted">{href}</bdi>;
  return (
    <a
      href={url}
      target="_blank"
      rel="noopener noreferrer"
      className="inline-flex min-h-6 max-w-full items-center gap-1 text-accent hover:underline"
    >
      <span className="truncate">{children ?? <bdi>{href}</bdi>}</span>
      <LinkOutIcon className="size-3 shrink-0" />
    </a>
  );
}
