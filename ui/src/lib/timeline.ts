/** The layout of a run's timeline: pure arithmetic from tasks to rows, segments and ticks. */

import { type Family, isTerminal, lookOf } from "./states";
import { childrenOf, type GroupState, type TaskGroup, type TaskRun } from "./task-groups";
import { selectionOf } from "./task-selection";

export interface Segment {
  kind: "waiting" | "attempt";
  start: number;
  end: number;
  family: Family;
  open: boolean;
}

export interface Row {
  key: string;
  /** `?task=` of the row. */
  selection: string;
  label: string;
  depth: 0 | 1;
  /** Children of a mapped task; 0 for a plain one. */
  children: number;
  expanded: boolean;
  counts: Partial<Record<Family, number>>;
  run: TaskRun | null;
  family: Family;
  word: string;
  segments: Segment[];
  /** How busy a mapped task was over its span, 0 to 1. */
  density: number[];
}

/** The row of a task: collapsed, a mapped one shows its children together. */
export function rowOf(group: TaskGroup, expanded: boolean, now: number): Row {
  return group.states.length > 0 || !group.own ? groupRow(group, expanded, now) : plainRow(group.own, 0, now);
}

/** The row of a child, which may not have arrived yet. */
export function childRow(taskSlug: string, place: number, run: TaskRun | undefined, now: number): Row {
  if (run) return plainRow(run, 1, now);
  return { ...NOTHING, key: `${taskSlug} ${place}`, label: `${taskSlug}[…]`, depth: 1 };
}

const NOTHING: Row = {
  key: "",
  selection: "",
  label: "",
  depth: 0,
  children: 0,
  expanded: false,
  counts: {},
  run: null,
  family: "neutral",
  word: "",
  segments: [],
  density: [],
};

function plainRow(run: TaskRun, depth: 0 | 1, now: number): Row {
  const look = lookOf(run.state);
  return {
    ...NOTHING,
    key: run.id,
    selection: selectionOf(run.taskSlug, run.mapIndex),
    label: selectionOf(run.taskSlug, run.mapIndex),
    depth,
    run,
    family: look.family,
    word: look.word,
    segments: segmentsOf(run, now),
  };
}

function groupRow(group: TaskGroup, expanded: boolean, now: number): Row {
  const { taskSlug, own, states, busy } = group;
  const counts: Partial<Record<Family, number>> = {};
  for (const state of states) {
    const { family } = lookOf(state);
    counts[family] = (counts[family] ?? 0) + state.count;
  }
  const family = worst(counts);
  const span = spanOfStates(states, now);
  const most = Math.max(...busy, 1);
  return {
    key: taskSlug,
    selection: taskSlug,
    label: taskSlug,
    depth: 0,
    children: childrenOf(group),
    expanded,
    counts,
    run: own,
    family,
    word: family === "success" ? "Success" : family,
    segments: span
      ? [{ kind: "attempt", start: span[0], end: span[1], family, open: states.some(({ type }) => type === "RUNNING") }]
      : [],
    density: busy.map((count) => count / most),
  };
}

/** From the first start of children to the last end. Those that have not ended reach until now. */
function spanOfStates(states: readonly GroupState[], now: number): [number, number] | null {
  const started = states.filter(({ firstStart }) => firstStart !== null);
  if (started.length === 0) return null;
  const ends = started.map(({ type, lastEnd }) => (isTerminal(type) && lastEnd ? Date.parse(lastEnd) : now));
  return [Math.min(...started.map(({ firstStart }) => Date.parse(firstStart as string))), Math.max(...ends)];
}

const BADNESS: readonly Family[] = [
  "failed",
  "attention",
  "running",
  "paused",
  "waiting",
  "upstream",
  "neutral",
  "success",
];

function worst(counts: Partial<Record<Family, number>>): Family {
  return BADNESS.find((family) => counts[family]) ?? "neutral";
}

function spanOf(run: TaskRun, now: number): [number, number] | null {
  if (!run.startTime) return null;
  return [
    Date.parse(run.startTime),
    run.endTime ? Date.parse(run.endTime) : isOver(run) ? Date.parse(run.state.at) : now,
  ];
}

function isOver(run: TaskRun): boolean {
  return isTerminal(run.state.type);
}

/** The light part until the first start, then one segment per attempt. */
function segmentsOf(run: TaskRun, now: number): Segment[] {
  const look = lookOf(run.state);
  const span = spanOf(run, now);
  if (!span) {
    if (!isOver(run)) return [];
    const at = Date.parse(run.state.at);
    return [{ kind: "attempt", start: at, end: at, family: look.family, open: false }];
  }
  const segments: Segment[] = [];
  const created = Date.parse(run.created);
  if (span[0] - created > 0)
    segments.push({ kind: "waiting", start: created, end: span[0], family: "waiting", open: false });
  if (run.attempts.length < 2) {
    segments.push({
      kind: "attempt",
      start: span[0],
      end: span[1],
      family: look.family,
      open: run.state.type === "RUNNING",
    });
    return segments;
  }
  run.attempts.forEach((attempt, index) => {
    const last = index === run.attempts.length - 1;
    const family = last ? look.family : "attention";
    const end = attempt.end ? Date.parse(attempt.end) : span[1];
    segments.push({
      kind: "attempt",
      start: Date.parse(attempt.start),
      end,
      family,
      open: last && !attempt.end && !isOver(run),
    });
  });
  return segments;
}

/** The time span of the timeline: from the run's first record to its end, or to now. */
export function domainOf(
  start: string | null,
  end: string | null,
  groups: readonly TaskGroup[],
  now: number,
): [number, number] {
  let first = start ? Date.parse(start) : Number.POSITIVE_INFINITY;
  let last = end ? Date.parse(end) : Number.NEGATIVE_INFINITY;
  for (const { own, states } of groups) {
    const spans = [own && (spanOf(own, now) ?? [Date.parse(own.created), Date.parse(own.state.at)])];
    for (const span of [...spans, spanOfStates(states, now)]) {
      if (!span) continue;
      first = Math.min(first, span[0] as number);
      last = Math.max(last, span[1] as number);
    }
  }
  if (!end) last = Math.max(last, now);
  if (!Number.isFinite(first)) return [now - 1000, now];
  return [first, Math.max(last, first + 100)];
}

const STEPS = [
  10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 216e5, 432e5,
  864e5,
];

/** Round instants for the axis, at most `most`. */
export function ticksOf([start, end]: readonly [number, number], most: number): { at: number; step: number }[] {
  const step = STEPS.find((one) => (end - start) / one <= most) ?? 864e5 * Math.ceil((end - start) / 864e5 / most);
  const ticks: { at: number; step: number }[] = [];
  // Below a second the axis counts from the start; above, it shows round times of day.
  for (let at = step < 1000 ? start + step : Math.ceil(start / step) * step; at <= end; at += step)
    ticks.push({ at, step });
  return ticks;
}

/** Percent of the width; a bar never leaves the plot. */
export function place(
  start: number,
  end: number,
  [from, to]: readonly [number, number],
): { left: number; width: number } {
  const scale = 100 / (to - from);
  const left = Math.min(100, Math.max(0, (start - from) * scale));
  return { left, width: Math.max(0, Math.min(100 - left, (end - start) * scale)) };
}
