/** The levels to choose from, by their names in the URL; without a name, all. */
export const LEVELS = [
  { value: 0, name: undefined, label: "All levels" },
  { value: 20, name: "info", label: "Info and above" },
  { value: 30, name: "warn", label: "Warnings and above" },
  { value: 40, name: "error", label: "Errors" },
] as const;
