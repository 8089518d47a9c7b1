/** Keeps what is on screen up to date: rows of runs are patched in place, the rest is asked for again, each at its pace. */

import { type InfiniteData, type Query, type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo } from "react";
import type { Run, RunRow } from "../../api/flow-runs";
import {
  agentKeys,
  automationKeys,
  flowKeys,
  flowRunKeys,
  homeKeys,
  jobKeys,
  knownFailureKeys,
  limitKeys,
  objectOf,
  peopleKeys,
  projectKeys,
  savedViewKeys,
  secretKeys,
  systemKeys,
  taskRunKeys,
} from "../../api/keys";
import { type Change, useChanges } from "../../api/live";
import type { System } from "../../api/system";
import { type ListFilter, type ListPage, type News, patchedList, patchedWithin } from "../../lib/patches";
import { Paced } from "./paced";

/** The topics that may change why some other run waits. */
const MOVES_OTHERS = new Set(["flow_run", "concurrency", "agent", "flow", "schedule", "hold", "maintenance"]);
/** The kinds of changes that leave the state of a run as it is. */
const QUIET = new Set(["flow_run.progress", "flow_run.usage"]);
const WAITING = new Set(["SCHEDULED", "PENDING", "PAUSED"]);
const COLLECT = 100;

/** Milliseconds between two questions for the same. */
const SOON = 500;
const RUN = 1_000;
const TASKS = 2_000;
/** The more tasks a run has, the longer the server counts them. */
const EACH_TASK = 0.1;
const PAGE = 3_000;
const LIST = 5_000;
const COUNTS = 10_000;
/** How often a list that is patched is compared with the server's: runs also become due, which no change tells. */
const COMPARE = 30_000;

export function useLiveQueries(): void {
  const client = useQueryClient();
  const paced = useMemo(() => new Paced(client), [client]);
  useEffect(() => () => paced.stop(), [paced]);
  const refresh = useCallback(
    (changes: (Change | null)[]) => {
      if (changes.includes(null)) void client.invalidateQueries();
      else refreshAfter(client, paced, changes as Change[]);
    },
    [client, paced],
  );
  useChanges(refresh, COLLECT);
}

function refreshAfter(client: QueryClient, paced: Paced, changes: Change[]): void {
  const again = (queryKey: readonly unknown[], every = SOON) => paced.again({ queryKey }, every);
  const topics = new Set(changes.map((change) => change.topic));
  const hasMoved = changes.some((change) => !QUIET.has(change.kind) && MOVES_OTHERS.has(change.topic));
  if (topics.has("flow_run")) refreshRuns(client, paced, changes);
  const ids = new Set(changes.filter((change) => change.topic !== "flow_run").map((change) => change.id));
  const isAboutOne = ({ queryKey }: { queryKey: readonly unknown[] }) => {
    const id = objectOf(queryKey);
    return id !== null && ids.has(id);
  };
  paced.again({ predicate: isAboutOne }, SOON);
  if (topics.has("project") || topics.has("flow")) again(projectKeys.lists);
  if (topics.has("job")) again(jobKeys.list);
  if (topics.has("flow_run") || topics.has("concurrency")) again(limitKeys.list, PAGE);
  if (topics.has("secret") || topics.has("flow")) again(secretKeys.list);
  if (topics.has("automation")) again(automationKeys.list);
  if (topics.has("saved_view")) again(savedViewKeys.list);
  if (topics.has("known_failure")) {
    again(knownFailureKeys.list);
    again(flowRunKeys.all);
  }
  if (topics.has("user")) again(peopleKeys.all);
  else if (topics.has("token")) again(peopleKeys.tokens);
  if (hasMoved || topics.has("known_failure") || topics.has("project")) again(homeKeys.all, PAGE);
  if (hasMoved) {
    again(agentKeys.list, PAGE);
    again(agentKeys.all, PAGE);
    again(agentKeys.matches, PAGE);
    again(flowKeys.lists, LIST);
    again(flowKeys.all, PAGE);
    again(flowRunKeys.allCounts, COUNTS);
    again(flowRunKeys.lists, COMPARE);
    paced.again({ queryKey: flowRunKeys.lists, predicate: showsWaiting }, LIST);
    paced.again({ queryKey: flowRunKeys.all, predicate: isOfWaiting }, RUN);
  }
  if (topics.has("hold") || topics.has("maintenance")) again(systemKeys.all);
  else if (hasMoved && isHeld(client)) again(systemKeys.all, LIST);
}

function refreshRuns(client: QueryClient, paced: Paced, changes: Change[]): void {
  const runs = changes.filter((change) => change.topic === "flow_run");
  const rows = new Map(runs.flatMap(({ run }) => (run ? [[run.id, run] as const] : [])));
  const gone = new Set(runs.filter(({ kind }) => kind === "flow_run.deleted").map(({ id }) => id));
  for (const query of client.getQueryCache().findAll({ queryKey: flowRunKeys.lists, type: "active" }))
    if (!patchList(client, query, { rows, gone })) paced.again({ queryKey: query.queryKey, exact: true }, LIST);
  paced.again({ queryKey: flowRunKeys.lists, type: "inactive" }, LIST);
  if (runs.some(({ id, run }) => !run && !gone.has(id))) paced.again({ queryKey: flowRunKeys.lists }, LIST);
  for (const queryKey of [homeKeys.all, flowKeys.all])
    for (const { queryKey: key, state } of client.getQueryCache().findAll({ queryKey, type: "active" }))
      set(client, key, state, patchedWithin(state.data, rows));
  for (const change of runs) refreshRun(client, paced, change);
}

/** Whether the list is right now; if not, only the server can tell. */
function patchList(client: QueryClient, { queryKey, state }: Query, news: News<RunRow>): boolean {
  const data = state.data as InfiniteData<ListPage<RunRow>> | undefined;
  if (!data?.pages) return state.fetchStatus !== "fetching";
  const { pages, isUnsure } = patchedList(data.pages, (queryKey[1] ?? {}) as ListFilter, news, Date.now());
  if (pages !== data.pages) set(client, queryKey, state, { ...data, pages });
  return !isUnsure && (pages === data.pages || state.fetchStatus !== "fetching");
}

/** Without pretending that the server was asked just now. */
function set(client: QueryClient, queryKey: readonly unknown[], state: Query["state"], data: unknown): void {
  if (data !== state.data) client.setQueryData(queryKey, data, { updatedAt: state.dataUpdatedAt });
}

/** A run's page shows more than a row has, so only its counts are patched while its state stays the same. */
function refreshRun(client: QueryClient, paced: Paced, { id, kind, lines, run: row }: Change): void {
  const queryKey = flowRunKeys.one(id);
  const query = client.getQueryCache().find({ queryKey });
  const run = query?.state.data as Run | undefined;
  const isSame = row !== undefined && row.state.version === run?.state.version;
  if (query && run && isSame) set(client, queryKey, query.state, { ...run, taskCounts: row.taskCounts });
  if (!isSame || kind !== "flow_run.progress") paced.again({ queryKey }, RUN);
  else if (lines) paced.again({ queryKey }, LIST);
  const every = QUIET.has(kind) ? Math.max(TASKS, (row?.taskCounts.total ?? 0) * EACH_TASK) : RUN;
  paced.again({ queryKey: taskRunKeys.ofRun(id) }, every);
}

/** Waiting runs wait for others: any change may change the reason, so all of them are asked for again. What hangs on a run, such as
 * what a restart would run again, has no state. */
function isOfWaiting({ state }: Query): boolean {
  const run = state.data as Partial<Run> | null | undefined;
  return run?.state !== undefined && WAITING.has(run.state.type);
}

/** Whether it shows runs that have been waiting for others for some time; of those that have just begun to, the reason is new. */
function showsWaiting({ state }: Query): boolean {
  const data = state.data as Partial<InfiniteData<ListPage<RunRow>>> | undefined;
  const waits = (row: RunRow) => row.waitReason && row.waitCode !== "not_due";
  const isOld = (row: RunRow) => Date.now() - Date.parse(row.state.at) > LIST;
  return (data?.pages ?? []).some(({ items }) => items.some((row) => waits(row) && isOld(row)));
}

function isHeld(client: QueryClient): boolean {
  return client.getQueryData<System>(systemKeys.all)?.hold.held ?? false;
}
