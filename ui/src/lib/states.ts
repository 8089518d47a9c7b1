/** States as people see them: a family (colour), a word and an icon. Never colour alone. */

export type Family = "success" | "failed" | "upstream" | "running" | "waiting" | "attention" | "paused" | "neutral";

export const FAMILIES: readonly Family[] = [
  "success",
  "failed",
  "upstream",
  "running",
  "waiting",
  "attention",
  "paused",
  "neutral",
];

export interface StateLook {
  family: Family;
  word: string;
  /** Path on a 12-unit grid, drawn with a 1.8 stroke. */
  icon: string;
}

const CHECK = "M2 6.5 5 9.5 10.5 3";
const CROSS = "M2.5 2.5 9.5 9.5M9.5 2.5 2.5 9.5";
const CLOCK = "M6 1.5A4.5 4.5 0 1 1 5.99 1.5M6 3.5V6.2H8";
const DASH = "M2.5 6H9.5";
const LOOP = "M9.8 4.2A4.2 4.2 0 1 0 10.2 7M10 1.5V4.4H7.1";

const LOOKS: Record<string, StateLook> = {
  Success: { family: "success", word: "Success", icon: CHECK },
  Cached: {
    family: "success",
    word: "Cached",
    icon: "M3 6.5 5.3 8.7 9.3 4M1.2 6A4.8 4.8 0 0 1 3 2.2M9 2.2A4.8 4.8 0 0 1 10.8 6",
  },
  Mapped: { family: "success", word: "Mapped", icon: "M2 3H10M2 6H10M2 9H10" },
  Skipped: { family: "neutral", word: "Skipped", icon: "M2 6A4 4 0 0 1 9.5 4.5M9.8 1.5V4.8H6.5M6 9.4V9.6" },
  Failed: { family: "failed", word: "Failed", icon: CROSS },
  TimedOut: {
    family: "failed",
    word: "Timed out",
    icon: "M5 1.5A4.3 4.3 0 1 0 9 6.8M5 3.5V6H7M8 1.5 11 4.5M11 1.5 8 4.5",
  },
  ValidationFailed: {
    family: "failed",
    word: "Invalid",
    icon: "M4 2C2.5 2 3.5 6 2 6C3.5 6 2.5 10 4 10M8 2V6.5M8 9.4V9.6",
  },
  Crashed: { family: "failed", word: "Crashed", icon: "M1.5 6H4V3H7M8 9H5V6M10.5 6H8M7 1.5V4.5M5 7.5V10.5" },
  TriggerFailed: { family: "upstream", word: "Not run", icon: "M6 1.5V7M3.2 4.6 6 7.4 8.8 4.6M2.5 10.3H9.5" },
  Running: { family: "running", word: "Running", icon: "M3.5 2 10 6 3.5 10Z" },
  Looped: { family: "running", word: "Looping", icon: LOOP },
  Cancelling: {
    family: "neutral",
    word: "Stopping",
    icon: "M4 6H8M1.2 6A4.8 4.8 0 0 1 3 2.2M9 2.2A4.8 4.8 0 0 1 10.8 6M3 9.8A4.8 4.8 0 0 0 9 9.8",
  },
  Cancelled: { family: "neutral", word: "Cancelled", icon: DASH },
  Scheduled: { family: "waiting", word: "Scheduled", icon: CLOCK },
  Pending: {
    family: "waiting",
    word: "Pending",
    icon: "M6 1.3V1.5M9.4 2.6 9.3 2.7M10.6 6H10.5M9.4 9.4 9.3 9.3M6 10.6V10.5M2.6 9.4 2.7 9.3M1.4 6H1.5M2.6 2.6 2.7 2.7",
  },
  Queued: { family: "waiting", word: "Queued", icon: "M2 3H8M2 6H10M2 9H6" },
  Submitted: { family: "waiting", word: "Submitted", icon: "M2.5 1.7H9.5M6 10.5V4.5M3.2 7.2 6 4.4 8.8 7.2" },
  Resume: { family: "waiting", word: "Resuming", icon: "M2 2.5 5.5 6 2 9.5ZM6.5 2.5 10 6 6.5 9.5Z" },
  Late: { family: "attention", word: "Late", icon: "M6 2V7M6 9.4V9.6" },
  Retrying: { family: "attention", word: "Retrying", icon: LOOP },
  AwaitingRetry: { family: "attention", word: "Retrying later", icon: LOOP },
  ClientFailed: { family: "attention", word: "Unknown", icon: "M4 4A2 2 0 1 1 6 6.2V7.2M6 9.4V9.6" },
  Paused: { family: "paused", word: "Paused", icon: "M4 3V9M8 3V9" },
  Finished: { family: "neutral", word: "Finished", icon: "M3 3H9V9H3Z" },
};

const BY_TYPE: Record<string, string> = {
  SCHEDULED: "Scheduled",
  PENDING: "Pending",
  PAUSED: "Paused",
  RUNNING: "Running",
  CANCELLING: "Cancelling",
  SUCCESS: "Success",
  FAILED: "Failed",
  CANCELLED: "Cancelled",
};

const TERMINAL = new Set(["SUCCESS", "FAILED", "CANCELLED"]);
const LATE_AFTER = 60_000;

/** The look of a state; an unknown name gets its type's look and keeps its own word. */
export function lookOf(state: { type: string; name: string }): StateLook {
  const look = LOOKS[state.name];
  if (look) return look;
  const base = LOOKS[BY_TYPE[state.type] ?? "Finished"] as StateLook;
  return { ...base, word: state.name || base.word };
}

/** The look of a flow run: one that is overdue and still waiting is Late. */
export function lookOfRun(
  run: { state: { type: string; name: string }; scheduledTime: string },
  now: number,
): StateLook {
  const overdue = now - Date.parse(run.scheduledTime);
  if (run.state.type === "SCHEDULED" && run.state.name === "Scheduled" && overdue > LATE_AFTER) {
    const late = LOOKS.Late as StateLook;
    return { ...late, word: `Late ${lateness(overdue)}` };
  }
  return lookOf(run.state);
}

function lateness(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 100) return `${minutes} min`;
  return minutes < 60 * 48 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} d`;
}

export function isTerminal(type: string): boolean {
  return TERMINAL.has(type);
}

/** Whether it has no process: it has ended, or it is waiting. */
export function isAtRest(type: string): boolean {
  return TERMINAL.has(type) || type === "SCHEDULED" || type === "PAUSED";
}

/** Whether a person can stop it now. */
export function canStop(type: string): boolean {
  return !TERMINAL.has(type) && type !== "CANCELLING";
}

export type NextStep = "restart" | "resume";

/** How a person can continue a run: restart its unsuccessful tasks, or resume the paused ones. */
export function nextStepOf(run: {
  state: { type: string; name: string };
  attempt: number;
  taskCounts: { failed: number };
}): NextStep | null {
  const { type, name } = run.state;
  if (type === "PAUSED" || (type === "SCHEDULED" && name === "Paused")) return "resume";
  if (run.attempt === 0) return null;
  if (type === "FAILED" || type === "CANCELLED") return "restart";
  return type === "SUCCESS" && run.taskCounts.failed > 0 ? "restart" : null;
}
