/** A deletion in words. */

import { counted } from "./counted";

interface Numbers {
  flows: number;
  versions: number;
  schedules: number;
  runs: number;
  taskRuns: number;
  logs: number;
}

const MOST_COUNTED = 100_000;

/** `3 runs`, but `100,000+ task runs` where counting ends. */
export function atLeast(count: number, noun: string): string {
  return counted(count, noun).replace(" ", count >= MOST_COUNTED ? "+ " : " ");
}

/** Everything that would be deleted, with its number. Of a project, with the number of its flows. */
export function goes(numbers: Numbers, noun: "flow" | "project"): string[] {
  return [
    ...(noun === "project" ? [atLeast(numbers.flows, "flow")] : []),
    atLeast(numbers.versions, "version"),
    atLeast(numbers.schedules, "schedule"),
    atLeast(numbers.runs, "run"),
    atLeast(numbers.taskRuns, "task run"),
    atLeast(numbers.logs, "log line"),
  ];
}
