/** Where the bars of a run's timeline stand: pure arithmetic from task runs to rows, segments and ticks. */

import { type Family, lookOf } from "./states";

export interface Attempt {
  start: string;
  end: string | null;
  state: string;
  type: string;
}

export interface TaskRun {
  id: string;
  taskSlug: string;
  mapIndex: number;
  name: string;
  state: { type: string; name: string; message: string; at: string };
  runCount: number;
  startTime: string | null;
  endTime: string | null;
  created: string;
  attempts: Attempt[];
}

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

const BUCKETS = 48;

export function selectionOf(taskSlug: string, mapIndex: number): string {
  return mapIndex >= 0 ? `${taskSlug}[${mapIndex}]` : taskSlug;
}

export function parseSelection(text: string): { taskSlug: string; mapIndex: number | null } | null {
  const match = /^(.+?)(?:\[(\d+)\])?$/.exec(text);
  if (!match?.[1]) return null;
  return { taskSlug: match[1], mapIndex: match[2] === undefined ? null : Number(match[2]) };
}

/** Rows in the order of the flow's tasks; those that it doesn't name come last, by start. */
export function layoutRows(
  runs: readonly TaskRun[],
  order: readonly string[],
  expanded: ReadonlySet<string>,
  now: number,
): Row[] {
  const groups = new Map<string, { parent: TaskRun | null; children: TaskRun[] }>();
  for (const run of runs) {
    let group = groups.get(run.taskSlug);
    if (!group) {
      group = { parent: null, children: [] };
      groups.set(run.taskSlug, group);
    }
    if (run.mapIndex >= 0) group.children.push(run);
    else group.parent = run;
  }
  const rank = new Map(order.map((slug, index) => [slug, index]));
  const slugs = [...groups.keys()].sort(
    (a, b) => (rank.get(a) ?? order.length) - (rank.get(b) ?? order.length) || a.localeCompare(b),
  );
  const rows: Row[] = [];
  for (const slug of slugs) {
    const { parent, children } = groups.get(slug) as { parent: TaskRun | null; children: TaskRun[] };
    if (children.length === 0) {
      if (parent) rows.push(plainRow(parent, 0, now));
      continue;
    }
    const open = expanded.has(slug);
    rows.push(groupRow(slug, parent, children, open, now));
    if (open) rows.push(...failedFirst(children).map((child) => plainRow(child, 1, now)));
  }
  return rows;
}

function plainRow(run: TaskRun, depth: 0 | 1, now: number): Row {
  const look = lookOf(run.state);
  return {
    key: run.id,
    selection: selectionOf(run.taskSlug, run.mapIndex),
    label: selectionOf(run.taskSlug, run.mapIndex),
    depth,
    children: 0,
    expanded: false,
    counts: {},
    run,
    family: look.family,
    word: look.word,
    segments: segmentsOf(run, now),
    density: [],
  };
}

function groupRow(slug: string, parent: TaskRun | null, children: TaskRun[], expanded: boolean, now: number): Row {
  const counts: Partial<Record<Family, number>> = {};
  for (const child of children) {
    const { family } = lookOf(child.state);
    counts[family] = (counts[family] ?? 0) + 1;
  }
  const family = worst(counts);
  const spans = children.map((child) => spanOf(child, now)).filter((span) => span !== null);
  const start = Math.min(...spans.map((span) => span[0]));
  const end = Math.max(...spans.map((span) => span[1]));
  const open = children.some((child) => child.state.type === "RUNNING");
  return {
    key: slug,
    selection: slug,
    label: slug,
    depth: 0,
    children: children.length,
    expanded,
    counts,
    run: parent,
    family,
    word: family === "success" ? "Success" : family,
    segments: spans.length > 0 ? [{ kind: "attempt", start, end, family, open }] : [],
    density: densityOf(spans, start, end),
  };
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

function failedFirst(children: readonly TaskRun[]): TaskRun[] {
  const rank = (run: TaskRun) => BADNESS.indexOf(lookOf(run.state).family);
  return [...children].sort((a, b) => rank(a) - rank(b) || a.mapIndex - b.mapIndex);
}

function spanOf(run: TaskRun, now: number): [number, number] | null {
  if (!run.startTime) return null;
  return [
    Date.parse(run.startTime),
    run.endTime ? Date.parse(run.endTime) : isOver(run) ? Date.parse(run.state.at) : now,
  ];
}

function isOver(run: TaskRun): boolean {
  return ["SUCCESS", "FAILED", "CANCELLED"].includes(run.state.type);
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

function densityOf(spans: readonly [number, number][], start: number, end: number): number[] {
  if (spans.length < 2 || end <= start) return [];
  const buckets = new Array<number>(BUCKETS).fill(0);
  for (const [from, to] of spans) {
    const first = Math.floor(((from - start) / (end - start)) * BUCKETS);
    const last = Math.min(BUCKETS - 1, Math.floor(((to - start) / (end - start)) * BUCKETS));
    for (let bucket = Math.min(first, BUCKETS - 1); bucket <= last; bucket += 1)
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  const most = Math.max(...buckets);
  return buckets.map((count) => count / most);
}

/** The span that the timeline shows: from the run's first sign to its end, or to now. */
export function domainOf(
  start: string | null,
  end: string | null,
  runs: readonly TaskRun[],
  now: number,
): [number, number] {
  let first = start ? Date.parse(start) : Number.POSITIVE_INFINITY;
  let last = end ? Date.parse(end) : Number.NEGATIVE_INFINITY;
  for (const run of runs) {
    const span = spanOf(run, now);
    first = Math.min(first, span ? span[0] : Date.parse(run.created));
    last = Math.max(last, span ? span[1] : Date.parse(run.state.at));
  }
  if (!end) last = Math.max(last, now);
  if (!Number.isFinite(first)) return [now - 1000, now];
  return [first, Math.max(last, first + 100)];
}

const STEPS = [
  10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 216e5, 432e5,
  864e5,
];

/** Round instants for the axis, at most `most` of them. */
export function ticksOf([start, end]: readonly [number, number], most: number): { at: number; step: number }[] {
  const step = STEPS.find((one) => (end - start) / one <= most) ?? 864e5 * Math.ceil((end - start) / 864e5 / most);
  const ticks: { at: number; step: number }[] = [];
  // Below a second the axis counts from the start; above, it shows round times of day.
  for (let at = step < 1000 ? start + step : Math.ceil(start / step) * step; at <= end; at += step)
    ticks.push({ at, step });
  return ticks;
}

/** Percent of the width; a bar never leaves the picture. */
export function place(
  start: number,
  end: number,
  [from, to]: readonly [number, number],
): { left: number; width: number } {
  const scale = 100 / (to - from);
  const left = Math.min(100, Math.max(0, (start - from) * scale));
  return { left, width: Math.max(0, Math.min(100 - left, (end - start) * scale)) };
}
