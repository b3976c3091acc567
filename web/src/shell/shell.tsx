import { useQuery } from "@tanstack/react-query";
import { Outlet, useRouterState } from "@tanstack/react-router";
import { Unauthenticated } from "@versioner/client";
import { useEffect, useRef, useState } from "react";

import { sessionQuery } from "../api/session";

import { Button } from "../components/button";
import { Dialog } from "../components/dialog";
import { MenuIcon, SearchIcon } from "../components/icons";
import { useStore } from "../lib/store";
import { signInRequired } from "../lib/sign-in-state";
import SignInPage from "../pages/sign-in/sign-in-page";
import { AccountMenu } from "./account-menu";
import { ConnectionBanner } from "./connection-banner";
import { Logo } from "./logo";
import { Navigation } from "./navigation-list";
import { Palette } from "./palette";
import { ShortcutHelp, useShortcuts } from "./shortcuts";
import { SignInDialog } from "./sign-in-dialog";

/** The page in its frame; without a session, the sign-in page in place of both. */
export function Shell() {
  const isSignIn = useRouterState({ select: (state) => state.location.pathname === "/sign-in" });
  const { data, error } = useQuery({ ...sessionQuery, enabled: !isSignIn });
  if (isSignIn) return <Outlet />;
  if (!data && error instanceof Unauthenticated) {
    return <SignInPage />;
  }
  return <Frame />;
}

/** The frame of all pages: navigation, account menu, palette, shortcuts, banner and the sign-in dialog. */
function Frame() {
  const [overlay, setOverlay] = useState<"palette" | "help" | "navigation" | null>(null);
  const close = () => setOverlay(null);
  const isSignInOpen = useStore(signInRequired);
  useShortcuts({ openPalette: () => setOverlay("palette"), openHelp: () => setOverlay("help") });
  const main = useFocusOnNavigation(close);
  return (
    <div className="flex min-h-dvh flex-col lg:flex-row">
      <a
        href="#content"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-md focus:bg-accent focus:px-3 focus:py-2 focus:text-on-accent"
      >
        Skip to the content
      </a>
      <header className="sticky top-0 z-20 flex shrink-0 items-center gap-2 border-b border-line bg-surface px-3 py-2 lg:h-dvh lg:w-56 lg:flex-col lg:items-stretch lg:gap-4 lg:border-r lg:border-b-0 lg:px-3 lg:py-4">
        <Button
          kind="quiet"
          small
          className="lg:hidden"
          aria-label="Navigation"
          onClick={() => setOverlay("navigation")}
        >
          <MenuIcon />
        </Button>
        <Logo />
        <Button className="ml-auto justify-start text-muted lg:ml-0" small onClick={() => setOverlay("palette")}>
          <SearchIcon />
          <span className="max-lg:sr-only">Search</span>
          <kbd className="ml-auto text-xs max-lg:hidden">{navigator.platform.startsWith("Mac") ? "⌘K" : "Ctrl K"}</kbd>
        </Button>
        <div className="hidden min-h-0 grow overflow-y-auto lg:block">
          <Navigation />
        </div>
        <AccountMenu onHelp={() => setOverlay("help")} />
      </header>
      <div className="flex min-w-0 grow flex-col">
        <ConnectionBanner />
        <main id="content" ref={main} tabIndex={-1} className="min-w-0 grow outline-none">
          <Outlet />
        </main>
      </div>
      {overlay === "palette" ? <Palette onClose={close} /> : null}
      {overlay === "help" ? <ShortcutHelp onClose={close} /> : null}
      {overlay === "navigation" ? (
        <Dialog title="Versioner" shape="left" onClose={close}>
          <div className="p-3">
            <Navigation />
          </div>
        </Dialog>
      ) : null}
      {isSignInOpen ? <SignInDialog /> : null}
    </div>
  );
}

/** Moves the focus to the page after a navigation by link, as a page load would, and closes what is open. */
function useFocusOnNavigation(close: () => void) {
  const main = useRef<HTMLElement>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const before = useRef(path);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    close();
    scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  });
  return main;
}
