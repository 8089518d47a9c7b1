/** The one sentence in a run's row: why it failed, why it waits, or its progress. Success is quiet. */

import { counted } from "./counted";
import { isTerminal } from "./states";

interface Described {
  state: { type: string; name: string; message: string };
  cause: { taskSlug: string | null; mapIndex: number | null; message: string } | null;
  waitReason: string | null;
  taskCounts: { total: number; success: number; failed: number; running: number; waiting: number; other: number };
}

export function whyOf(run: Described): string {
  const { type, message } = run.state;
  if (type === "FAILED") {
    if (!run.cause) return message;
    return run.cause.taskSlug ? `${taskName(run.cause)}: ${run.cause.message}` : run.cause.message;
  }
  if (type === "RUNNING" || type === "CANCELLING") return progressOf(run.taskCounts);
  if (!isTerminal(type)) return run.waitReason ?? message;
  return type === "CANCELLED" ? message : "";
}

export function taskName(task: { taskSlug: string | null; mapIndex: number | null }): string {
  if (!task.taskSlug) return "";
  return task.mapIndex !== null && task.mapIndex >= 0 ? `${task.taskSlug}[${task.mapIndex}]` : task.taskSlug;
}

export function doneOf(counts: Described["taskCounts"]): number {
  return counts.total - counts.running - counts.waiting;
}

export function progressOf(counts: Described["taskCounts"]): string {
  if (counts.total === 0) return "";
  const done = doneOf(counts);
  return `${Math.floor((done / counts.total) * 100)} % · ${done.toLocaleString("en")} of ${counted(counts.total, "task")}`;
}

/** Who started it, in one word. */
export function byOf(run: { trigger: string; createdBy: string }): string {
  return run.trigger === "schedule" ? "schedule" : run.createdBy || run.trigger;
}
