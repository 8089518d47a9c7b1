/** The bulk actions: which runs they apply to, and their words. */

import type { RunFilter } from "./run-filter";
import { canStop, isAtRest, nextStepOf } from "./states";
import { canStartNow } from "./waiting";

export type BulkAction = "restart" | "start_now" | "cancel" | "mark" | "delete";
export const MARKED_STATES = ["Success", "Failed", "Cancelled", "Skipped"] as const;
export type MarkedState = (typeof MARKED_STATES)[number];

/** The server's filter of runs. */
export interface BulkFilter {
  stateTypes: string[];
  q?: string;
  until?: string;
}

interface Selectable {
  id: string;
  state: { type: string; name: string };
  attempt: number;
  taskCounts: { failed: number };
  waitCode: string | null;
}

export interface BulkKind {
  action: BulkAction;
  permission: "runs:restart" | "runs:edit" | "runs:cancel" | "runs:mark" | "runs:delete";
  /** The state types in which it applies to a run; a filter is narrowed to these. */
  types: readonly string[];
  isValid: (run: Selectable) => boolean;
  /** For the button, the dialog and the toast; `runs` is "1 run" or "12 runs". */
  button: (count: string) => string;
  /** In the menu of a single run. */
  one: string;
  title: (runs: string) => string;
  explanation: string;
  confirm: string;
  done: (runs: string) => string;
}

const AT_REST = ["SCHEDULED", "PAUSED", "SUCCESS", "FAILED", "CANCELLED"];

export const BULK: readonly BulkKind[] = [
  {
    action: "restart",
    permission: "runs:restart",
    types: ["FAILED", "CANCELLED"],
    isValid: (run) => nextStepOf(run) === "restart",
    button: (count) => `Restart ${count} from failed…`,
    one: "Restart from failed…",
    title: (runs) => `Restart ${runs} from failed?`,
    explanation: "Their unsuccessful tasks and everything downstream run again; the other results are kept.",
    confirm: "Restart",
    done: (runs) => `${runs} restarted`,
  },
  {
    action: "start_now",
    permission: "runs:edit",
    types: ["SCHEDULED"],
    isValid: canStartNow,
    button: (count) => `Start ${count} now…`,
    one: "Start now…",
    title: (runs) => `Start ${runs} now?`,
    explanation: "They become due now instead of at their scheduled time.",
    confirm: "Start now",
    done: (runs) => `${runs} due now`,
  },
  {
    action: "cancel",
    permission: "runs:cancel",
    types: ["SCHEDULED", "PENDING", "PAUSED", "RUNNING"],
    isValid: (run) => canStop(run.state.type),
    button: (count) => `Stop ${count}…`,
    one: "Stop…",
    title: (runs) => `Stop ${runs}?`,
    explanation: "Running runs are asked to stop, and are killed after the grace period. Waiting runs will not start.",
    confirm: "Stop runs",
    done: (runs) => `${runs} stopped`,
  },
  {
    action: "mark",
    permission: "runs:mark",
    types: AT_REST,
    isValid: (run) => isAtRest(run.state.type),
    button: (count) => `Mark ${count} as…`,
    one: "Mark as…",
    title: (runs) => `Set the final state of ${runs}?`,
    explanation: "The history records that you set it. Nothing runs again.",
    confirm: "Mark",
    done: (runs) => `${runs} marked`,
  },
  {
    action: "delete",
    permission: "runs:delete",
    types: AT_REST,
    isValid: (run) => isAtRest(run.state.type),
    button: (count) => `Delete ${count}…`,
    one: "Delete…",
    title: (runs) => `Delete ${runs} permanently?`,
    explanation: "Their task runs, history and logs are deleted with them. This can't be undone.",
    confirm: "Delete",
    done: (runs) => `${runs} deleted`,
  },
];

export function kindOf(action: BulkAction): BulkKind {
  return BULK.find((kind) => kind.action === action) as BulkKind;
}

export function runsIn(count: number, capped = false): string {
  return `${count.toLocaleString("en")}${capped ? "+" : ""} ${count === 1 && !capped ? "run" : "runs"}`;
}

/** The list's filter narrowed to the runs that an action applies to. `since`: when they were selected. A list without a query leaves out
 * planned runs, and naming their states must not include them. */
export function filterFor(kind: BulkKind, list: RunFilter, since: string): BulkFilter {
  const stateTypes = [...kind.types];
  return list.q ? { stateTypes, q: list.q } : { stateTypes, until: since };
}
