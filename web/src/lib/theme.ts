import { createStore } from "./store";

export type Theme = "system" | "light" | "dark";

const KEY = "versioner.theme";

function stored(): Theme {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : "system";
}

export const theme = createStore<Theme>(stored());

/** Shows the chosen theme. Without a choice, the style sheet follows the system. */
export function applyTheme(): void {
  const value = theme.get();
  if (value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = value;
}

export function chooseTheme(value: Theme): void {
  if (value === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, value);
  theme.set(value);
  applyTheme();
}
