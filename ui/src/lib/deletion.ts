/** A deletion in words. */

interface Numbers {
  flows: number;
  versions: number;
  schedules: number;
  runs: number;
  taskRuns: number;
  logs: number;
}

const MOST_COUNTED = 100_000;

/** `3 runs`, `1 log line`, `100,000+ task runs` */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")}${count >= MOST_COUNTED ? "+" : ""} ${noun}${count === 1 ? "" : "s"}`;
}

/** Everything that would be deleted, with its number. Of a project, with the number of its flows. */
export function goes(numbers: Numbers, noun: "flow" | "project"): string[] {
  return [
    ...(noun === "project" ? [counted(numbers.flows, "flow")] : []),
    counted(numbers.versions, "version"),
    counted(numbers.schedules, "schedule"),
    counted(numbers.runs, "run"),
    counted(numbers.taskRuns, "task run"),
    counted(numbers.logs, "log line"),
  ];
}
