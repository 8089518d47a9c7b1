/** Light, dark, or the system's theme. theme.js applies the choice before the first paint. */

export type Theme = "system" | "light" | "dark";

export function chosenTheme(): Theme {
  const stored = localStorage.getItem("theme");
  return stored === "light" || stored === "dark" ? stored : "system";
}

export function chooseTheme(theme: Theme): void {
  localStorage.setItem("theme", theme);
  apply();
}

function apply(): void {
  const choice = chosenTheme();
  const dark = choice === "dark" || (choice === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
