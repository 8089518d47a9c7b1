/** Jobs in words. */

export type JobState = "queued" | "running" | "done" | "cancelled" | "failed";

interface Described {
  kind: string;
  state: JobState;
  total: number;
  done: number;
  refused: number;
  request: Record<string, unknown>;
}

const TITLES: Record<string, string> = {
  restart: "Restart runs",
  start_now: "Start runs now",
  cancel: "Stop runs",
  delete: "Delete runs",
  pause: "Pause runs",
  resume: "Resume runs",
  edit: "Edit runs",
  skip_held: "Skip held runs",
  backfill: "Backfill",
};

export function jobTitle(job: Pick<Described, "kind" | "request">): string {
  if (job.kind === "mark") return `Mark runs as ${String(job.request.state ?? "ended")}`;
  if (job.kind === "delete_flow" || job.kind === "delete_project")
    return `Delete ${job.kind.slice("delete_".length)} ${String(job.request.name ?? "")}`.trimEnd();
  return TITLES[job.kind] ?? job.kind;
}

const STATES = {
  queued: { word: "Queued", family: "waiting", name: "Queued" },
  running: { word: "Running", family: "running", name: "Running" },
  done: { word: "Done", family: "success", name: "Success" },
  cancelled: { word: "Stopped", family: "neutral", name: "Cancelled" },
  failed: { word: "Failed", family: "failed", name: "Failed" },
} as const;

/** The run state whose icon fits, and the word next to it. */
export function jobState(state: JobState): (typeof STATES)[keyof typeof STATES] {
  return STATES[state];
}

/** What remains; the total is an estimate, since runs may come and go in the meantime. */
export function leftOf(job: Pick<Described, "state" | "total" | "done" | "refused">): number {
  return Math.max(0, job.total - job.done - job.refused);
}

export function shareOf(job: Pick<Described, "state" | "total" | "done" | "refused">): number {
  if (job.state === "done") return 1;
  return job.total === 0 ? 0 : Math.min(1, (job.done + job.refused) / job.total);
}

/** `11 done · 1 not changed · 3 remaining` */
export function countsInWords(job: Omit<Described, "kind" | "request">): string {
  const number = (count: number) => count.toLocaleString("en");
  const parts = [`${number(job.done)} done`];
  if (job.refused > 0) parts.push(`${number(job.refused)} not changed`);
  const left = job.state === "done" ? 0 : leftOf(job);
  const over = job.state === "cancelled" || job.state === "failed";
  if (left > 0) parts.push(`${number(left)} ${over ? "not processed" : "remaining"}`);
  return parts.join(" · ");
}
