import type { ComponentType } from "react";

import { DeployIcon, GridIcon, StartIcon } from "../components/icons";

export interface NavigationItem {
  to: string;
  label: string;
  icon: ComponentType<{ className?: string }>;
  /** The letter that leads here after `g`. */
  letter: string;
  /** The permission without which the page has nothing to show; the entry is absent then. */
  permission?: string;
}

export interface NavigationGroup {
  label: string | null;
  items: NavigationItem[];
}

/** The entries of the navigation, in order. */
export const navigation: NavigationGroup[] = [
  {
    label: null,
    items: [
      { to: "/", label: "Environments", icon: GridIcon, letter: "e" },
      { to: "/deployments", label: "Deployments", icon: DeployIcon, letter: "d" },
    ],
  },
  { label: "Help", items: [{ to: "/start", label: "Get started", icon: StartIcon, letter: "s" }] },
];
