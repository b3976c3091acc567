import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { sessionQuery } from "../api/session";
import { navigation } from "./navigation";

/** The navigation of the pages that the user may view. */
export function Navigation() {
  const { data } = useQuery(sessionQuery);
  const mayView = (permission: string | undefined) =>
    permission === undefined || (data?.permissions.includes(permission) ?? false);
  return (
    <nav aria-label="Pages" className="flex flex-col gap-4">
      {navigation.map(({ label, items }) => (
        <div key={label}>
          {label ? <h2 className="mb-1 px-2 text-xs font-medium text-muted">{label}</h2> : null}
          <ul className="flex flex-col gap-px">
            {items
              .filter(({ permission }) => mayView(permission))
              .map(({ to, label: text, icon: Icon }) => (
                <li key={to}>
                  <Link
                    to={to}
                    activeOptions={{ exact: to === "/" }}
                    className="flex min-h-8 items-center gap-2.5 rounded-md px-2 text-muted hover:bg-raised hover:text-text aria-[current=page]:bg-accent-soft aria-[current=page]:font-medium aria-[current=page]:text-accent"
                  >
                    <Icon className="size-4 shrink-0" />
                    {text}
                  </Link>
                </li>
              ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}
