/** The home page: what needs a person, and how the rest is going. */

import { isTerminal } from "./states";
import { elapsed } from "./time";
import { taskName } from "./why";

/** One of a flow's last runs, newest first. */
export interface PastRun {
  id: string;
  state: { type: string; name: string };
  startTime: string | null;
  endTime: string | null;
}

interface FailedRun {
  id: string;
  name: string;
  endTime: string | null;
  state: { message: string; at: string };
  flow: { id: string; name: string; recentRuns: readonly PastRun[] };
  cause: {
    taskSlug: string | null;
    mapIndex: number | null;
    message: string;
    fingerprint: string;
    known: object | null;
  } | null;
}

/** A cause that a person has to look at: runs of one flow that failed in one task with one error. */
export interface Need<Run extends FailedRun> {
  key: string;
  /** With the index only if all of them failed in the same child. */
  task: string;
  message: string;
  /** Newest first. */
  runs: readonly Run[];
  /** Whether somebody has marked it as known. */
  isKnown: boolean;
  /** How many of the flow's last runs failed, one after the other. */
  streak: number;
}

/** The causes of the failures that no later success of the flow has resolved: the longest streak first, then the newest. */
export function needsOf<Run extends FailedRun>(failures: readonly Run[]): Need<Run>[] {
  const groups = new Map<string, Run[]>();
  for (const run of failures) {
    if (isResolved(run)) continue;
    const key = [run.flow.id, run.cause?.taskSlug ?? "", run.cause?.fingerprint ?? ""].join("\n");
    const group = groups.get(key);
    if (group) group.push(run);
    else groups.set(key, [run]);
  }
  const needs = [...groups].map(([key, runs]): Need<Run> => {
    const newest = runs[0] as Run;
    return {
      key,
      task: taskOf(runs),
      message: messageOf(newest),
      runs,
      isKnown: newest.cause?.known != null,
      streak: streakOf(newest.flow.recentRuns),
    };
  });
  return needs.sort((a, b) => b.streak - a.streak || endOf(b.runs[0]).localeCompare(endOf(a.runs[0])));
}

/** How many runs these causes have made fail. */
export function runsOf(needs: readonly { runs: readonly unknown[] }[]): number {
  return needs.reduce((sum, need) => sum + need.runs.length, 0);
}

function messageOf(run: FailedRun): string {
  return run.cause?.message || run.state.message;
}

function endOf(run: FailedRun | undefined): string {
  return run?.endTime ?? run?.state.at ?? "";
}

function taskOf(runs: readonly FailedRun[]): string {
  const cause = runs[0]?.cause;
  if (!cause) return "";
  const isSame = runs.every((run) => run.cause?.mapIndex === cause.mapIndex);
  return taskName(isSame ? cause : { ...cause, mapIndex: null });
}

function isResolved(run: FailedRun): boolean {
  return run.flow.recentRuns.some(
    (later) => later.state.type === "SUCCESS" && later.endTime !== null && later.endTime > endOf(run),
  );
}

/** Of the flow's last runs that have ended. */
export function streakOf(recent: readonly PastRun[]): number {
  const ended = recent.filter((run) => isTerminal(run.state.type));
  const end = ended.findIndex((run) => run.state.type !== "FAILED");
  return end < 0 ? ended.length : end;
}

/** The middle duration of the successful ones, in milliseconds; null if there are fewer than 3. */
export function typicalOf(recent: readonly PastRun[]): number | null {
  const took = recent
    .filter((run) => run.state.type === "SUCCESS")
    .map((run) => elapsed(run.startTime, run.endTime, 0))
    .filter((one) => one !== null)
    .sort((a, b) => a - b);
  return took.length < 3 ? null : (took[Math.floor(took.length / 2)] ?? null);
}

/** How many percent of the ended runs succeeded; null if none has ended. */
export function successOf(recent: readonly PastRun[]): number | null {
  const ended = recent.filter((run) => isTerminal(run.state.type) && run.state.type !== "CANCELLED");
  if (ended.length === 0) return null;
  return Math.floor((ended.filter((run) => run.state.type === "SUCCESS").length / ended.length) * 100);
}

/** A run's bar, as shares of its width. */
export interface Bar {
  fill: number;
  /** Where such runs typically end; null if that isn't known, and the bar shows how many tasks are done. */
  tick: number | null;
  isOver: boolean;
}

/** The bar is a quarter longer than a typical run, or as long as this one. */
const ROOM = 1.25;

export function barOf(
  run: { startTime: string | null; taskCounts: { total: number; running: number; waiting: number } },
  typical: number | null,
  now: number,
): Bar {
  const { total, running, waiting } = run.taskCounts;
  const took = elapsed(run.startTime, null, now) ?? 0;
  if (typical === null)
    return { fill: total === 0 ? 0 : (total - running - waiting) / total, tick: null, isOver: false };
  const width = Math.max(typical * ROOM, took, 1);
  return { fill: took / width, tick: typical / width, isOver: took > typical };
}

/** Whether a planned run will start when it is due, in a few words. */
export function readinessOf(flow: { paused: boolean; warnings: readonly string[] }): {
  isReady: boolean;
  text: string;
} {
  if (flow.paused) return { isReady: false, text: "the flow is paused" };
  const warning = flow.warnings[0];
  return warning === undefined ? { isReady: true, text: "ready" } : { isReady: false, text: warning };
}

/** The runs that ended well, and their share of all that ended well or badly, in percent. */
export function endedWell(ended: readonly { stateType: string; runs: number }[]): { ok: number; share: number | null } {
  const of = (type: string) => ended.filter((one) => one.stateType === type).reduce((sum, one) => sum + one.runs, 0);
  const [ok, failed] = [of("SUCCESS"), of("FAILED")];
  return { ok, share: ok + failed === 0 ? null : Math.floor((ok / (ok + failed)) * 1000) / 10 };
}

/** Seconds after which the scheduler, which runs every few seconds, is in trouble. */
export const LATE_TICK = 60;

/** How often it happened: `3 in a row`, `3 runs`; nothing for a single failure. */
export function inARow(need: { streak: number; runs: readonly unknown[] }): string {
  if (need.streak > 1) return `${need.streak} in a row`;
  return need.runs.length > 1 ? `${need.runs.length} runs` : "";
}
