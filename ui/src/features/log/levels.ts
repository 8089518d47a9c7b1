/** The levels to choose from, by their names in the address; without a name, all. */
export const LEVELS = [
  { value: 0, name: undefined, label: "All levels" },
  { value: 20, name: "info", label: "Info and worse" },
  { value: 30, name: "warn", label: "Warnings and worse" },
  { value: 40, name: "error", label: "Errors" },
] as const;

/** What the address says of the log. */
export interface LogSearch {
  level?: "info" | "warn" | "error";
  find?: string;
}

export function lowestLevel(search: LogSearch): number {
  return LEVELS.find((one) => one.name === search.level)?.value ?? 0;
}
