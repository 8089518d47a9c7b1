import { LEVELS } from "../../lib/log-levels";

export { LEVELS };

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
