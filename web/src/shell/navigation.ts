import type { ComponentType } from "react";

import {
  BoardIcon,
  BoxIcon,
  BuildIcon,
  BellIcon,
  CalendarIcon,
  DeployIcon,
  DeviceIcon,
  GlassIcon,
  GridIcon,
  KeyIcon,
  LinkOutIcon,
  ListIcon,
  RequestIcon,
  RuleIcon,
  SlidersIcon,
  StartIcon,
  StopIcon,
  TagIcon,
  UsersIcon,
} from "../components/icons";

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
      { to: "/", label: "Overview", icon: GridIcon, letter: "o" },
      { to: "/deployments", label: "Deployments", icon: DeployIcon, letter: "d" },
      { to: "/releases", label: "Releases", icon: BoardIcon, letter: "r" },
    ],
  },
  {
    label: "Catalogue",
    items: [
      { to: "/products", label: "Products", icon: BoxIcon, letter: "p" },
      { to: "/versions", label: "Versions", icon: TagIcon, letter: "v" },
      { to: "/builds", label: "Builds", icon: BuildIcon, letter: "b" },
      { to: "/environments", label: "Environments", icon: ListIcon, letter: "e" },
    ],
  },
  {
    label: "Governance",
    items: [
      { to: "/deployment-requests", label: "Deployment requests", icon: RequestIcon, letter: "q" },
      { to: "/rules", label: "Deployment rules", icon: RuleIcon, letter: "l" },
      { to: "/calendar", label: "Deployment calendar", icon: CalendarIcon, letter: "c" },
      { to: "/violations", label: "Rule violations", icon: StopIcon, letter: "x" },
      { to: "/break-glass", label: "Break-glass grants", icon: GlassIcon, letter: "g" },
    ],
  },
  {
    label: "Settings",
    items: [
      { to: "/notifications", label: "Notifications", icon: BellIcon, letter: "n" },
      { to: "/settings/keys", label: "API keys", icon: KeyIcon, letter: "k", permission: "keys.view" },
      { to: "/settings/users", label: "Users and roles", icon: UsersIcon, letter: "u" },
      {
        to: "/settings/governance",
        label: "Governance settings",
        icon: SlidersIcon,
        letter: "t",
        permission: "governance.manage",
      },
      { to: "/settings/buttons", label: "Deployment buttons", icon: LinkOutIcon, letter: "m" },
      { to: "/settings/audit", label: "Audit log", icon: ListIcon, letter: "a", permission: "audit.view" },
      { to: "/settings/sessions", label: "Sessions", icon: DeviceIcon, letter: "i" },
    ],
  },
  { label: "Help", items: [{ to: "/start", label: "Get started", icon: StartIcon, letter: "s" }] },
];
