/** The levels to choose from, by their names in the URL; without a name, all. */
export const LEVELS = [
  { value: 0, name: undefined, label: "All levels" },
  { value: 20, name: "info", label: "Info and above" },
  { value: 30, name: "warn", label: "Warnings and above" },
  { value: 40, name: "error", label: "Errors" },
] as const;

/** The streams to choose from, by their names in the URL. */
export const STREAMS = [
  { name: undefined, label: "All sources" },
  { name: "stdout", label: "Standard output" },
  { name: "stderr", label: "Standard error" },
] as const;

/** The log's part of the URL. */
export interface LogSearch {
  level?: "info" | "warn" | "error";
  stream?: "stdout" | "stderr";
  find?: string;
}

export function lowestLevel(search: LogSearch): number {
  return LEVELS.find((one) => one.name === search.level)?.value ?? 0;
}
