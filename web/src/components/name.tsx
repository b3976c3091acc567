import { cx } from "../lib/cx";

/** A name that an event or a user gave: isolated, so that its direction does not affect the text around it. */
export function Name({ children, className, cut = false }: { children: string; className?: string; cut?: boolean }) {
  return (
    <bdi className={cx(cut && "block truncate", className)} title={cut ? children : undefined}>
      {children}
    </bdi>
  );
}

/** The name of a version. */
export function VersionName({
  children,
  cut = false,
  className,
}: {
  children: string;
  cut?: boolean;
  className?: string;
}) {
  return (
    <Name cut={cut} className={cx("font-mono text-sm leading-[inherit]", className)}>
      {children}
    </Name>
  );
}
