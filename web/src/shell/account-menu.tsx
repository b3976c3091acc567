import { useMutation, useQuery } from "@tanstack/react-query";

import { endSession, sessionQuery } from "../api/session";
import { UserIcon } from "../components/icons";
import { MenuButton, MenuRadio, PopoverMenu } from "../components/popover-menu";
import { useStore } from "../lib/store";
import { chooseTheme, type Theme, theme } from "../lib/theme";

const THEMES: [Theme, string][] = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

/** The user, the account, the theme, the shortcuts and signing out. */
export function AccountMenu({ onHelp }: { onHelp: () => void }) {
  const { data } = useQuery(sessionQuery);
  const signOut = useMutation({ mutationFn: endSession });
  const chosen = useStore(theme);
  const name = data ? data.user.name || data.user.email || "You" : "Account";
  return (
    <PopoverMenu
      label="Account menu"
      className="flex min-h-9 min-w-9 items-center gap-2 rounded-md px-2 text-left hover:bg-raised"
      button={
        <>
          <UserIcon className="size-4 shrink-0 text-muted" />
          <span className="sr-only">{"Account menu "}</span>
          <span className="min-w-0 max-lg:sr-only">
            <bdi className="block truncate text-sm font-medium">{name}</bdi>
            <span className="block truncate text-xs text-muted">
              {data ? `${data.account.slug} · ${data.user.role.replaceAll("_", " ")}` : " "}
            </span>
          </span>
        </>
      }
    >
      <div className="border-b border-line px-2 pt-1 pb-2 text-sm lg:hidden">
        <bdi className="block truncate font-medium">{name}</bdi>
        {data ? (
          <span className="text-muted">{`${data.account.slug} · ${data.user.role.replaceAll("_", " ")}`}</span>
        ) : null}
      </div>
      <div role="group" aria-label="Theme" className="border-b border-line py-1">
        <p className="px-2 py-1 text-xs font-medium text-muted">Theme</p>
        {THEMES.map(([value, text]) => (
          <MenuRadio key={value} checked={chosen === value} onClick={() => chooseTheme(value)}>
            {text}
          </MenuRadio>
        ))}
      </div>
      <div className="pt-1">
        <MenuButton onClick={onHelp}>Keyboard shortcuts</MenuButton>
        <MenuButton onClick={() => signOut.mutate()}>Sign out</MenuButton>
      </div>
    </PopoverMenu>
  );
}
