/** Flow runs: the list, one run with its cause, and the changes to it. */

import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { addressOf } from "../lib/base";
import type { BulkAction, BulkFilter, MarkedState } from "../lib/bulk";
import type { Json } from "../lib/json";
import { type RunView, SHOWS, SORTS, toRunFilter, withShow } from "../lib/run-filter";
import type { NextStep } from "../lib/states";
import { lookAgainIn } from "../lib/waiting";
import {
  CancelRunDocument,
  ContinuationDocument,
  type ContinuationQuery,
  type ContinuationQueryVariables,
  CountsDocument,
  type CountsQueryVariables,
  type CreateFlowRunInput,
  CreateRunDocument,
  DeleteRunDocument,
  type MarkedState as MarkedStateName,
  MarkRunDocument,
  PauseRunDocument,
  type RestartFlowRunInput,
  RestartRunDocument,
  type ResumeFlowRunInput,
  ResumeRunDocument,
  type RunCountFragment,
  RunDocument,
  type RunQuery,
  type RunRowFragment,
  RunSuggestionsDocument,
  RunsDocument,
  RunsOverviewDocument,
  type RunsOverviewQuery,
  type RunsOverviewQueryVariables,
  StartRunNowDocument,
} from "./generated";
import { execute } from "./graphql";
import { flowRunKeys } from "./keys";

export type RunRow = RunRowFragment;
/** `flow.version` is the flow's latest version. */
export type Run = NonNullable<RunQuery["flowRun"]>;
export type Cause = NonNullable<Run["cause"]>;
export type Count = RunCountFragment;

export function runsQuery(view: RunView) {
  const filter = toRunFilter(view);
  const sort = SORTS[view.sort];
  return infiniteQueryOptions({
    queryKey: flowRunKeys.list({ ...filter, sort }),
    queryFn: async ({ pageParam, signal }) =>
      (await execute(RunsDocument, { filter, sort, first: 100, after: pageParam }, signal)).flowRuns,
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: ({ state: { data } }) => lookAgainIn(data?.pages.flatMap((page) => page.items) ?? [], Date.now()),
  });
}

export function runQuery(id: string) {
  return queryOptions({
    queryKey: flowRunKeys.one(id),
    queryFn: async ({ signal }) => (await execute(RunDocument, { id }, signal)).flowRun,
    refetchInterval: ({ state: { data } }) => lookAgainIn(data ? [data] : [], Date.now()),
  });
}

export type RunHistogram = NonNullable<RunsOverviewQuery["runHistogram"]>;

/** The runs of a query by due time, and how many there are of each quick choice, in one request. */
export function overviewQuery(q: string) {
  const filters = Object.fromEntries(SHOWS.map(({ id }) => [id, toRunFilter({ q: withShow(q, id) })]));
  const variables = { filter: toRunFilter({ q }), ...filters } as RunsOverviewQueryVariables;
  return queryOptions({
    queryKey: flowRunKeys.overview(variables),
    queryFn: ({ signal }) => execute(RunsOverviewDocument, variables, signal),
  });
}

/** Values for a field of a query, with how many of the newest runs that the rest of the query selects have each. */
export function suggestionsQuery(field: string, text: string, q: string) {
  const filter = toRunFilter({ q });
  return queryOptions({
    queryKey: flowRunKeys.suggestions(field, text, filter),
    queryFn: async ({ signal }) =>
      (await execute(RunSuggestionsDocument, { field, text, filter }, signal)).runSuggestions,
    retry: false,
  });
}

/** The address of the table of a list for spreadsheets. */
export function csvAddress(view: RunView): string {
  return addressOf(`/api/v1/flow-runs/csv?${new URLSearchParams({ q: view.q, sort: view.sort })}`);
}

/** How many runs match each of the filters, in one query. */
export function countsQuery(filters: Partial<Record<BulkAction, BulkFilter>>) {
  return queryOptions({
    queryKey: flowRunKeys.counts(filters),
    queryFn: async ({ signal }): Promise<Partial<Record<BulkAction, Count>>> =>
      Object.keys(filters).length === 0 ? {} : execute(CountsDocument, countVariables(filters), signal),
  });
}

function countVariables(filters: Partial<Record<BulkAction, BulkFilter>>): CountsQueryVariables {
  return {
    ...filters,
    withRestart: "restart" in filters,
    withStartNow: "start_now" in filters,
    withCancel: "cancel" in filters,
    withMark: "mark" in filters,
    withDelete: "delete" in filters,
  };
}

/** Every change carries a reason and an idempotency key: sending it again under the same key changes nothing. */
interface Change {
  reason: string;
  idempotencyKey: string;
}

export async function createRun(
  input: Pick<CreateFlowRunInput, "flowId" | "parameters" | "name" | "scheduledTime"> & { idempotencyKey: string },
): Promise<{ id: string; name: string; warnings: string[] }> {
  const { flowRun, warnings } = (await execute(CreateRunDocument, { input })).createFlowRun;
  return { ...flowRun, warnings };
}

export async function stopRun(flowRunId: string, reason: string): Promise<void> {
  await execute(CancelRunDocument, { input: { flowRunId, ...(reason ? { reason } : {}) } });
}

export async function goOn(flowRunId: string, step: NextStep, idempotencyKey: string): Promise<void> {
  const input = { flowRunId, idempotencyKey };
  await (step === "restart" ? execute(RestartRunDocument, { input }) : execute(ResumeRunDocument, { input }));
}

/** Makes a scheduled run due now. */
export async function startNow(flowRunId: string, idempotencyKey: string): Promise<void> {
  await execute(StartRunNowDocument, { input: { flowRunId, idempotencyKey } });
}

/** What a restart or a resume asks for, as far as it decides what runs again. */
export type ContinuationRequest = Omit<ContinuationQueryVariables, "flowRunId">;
export type Continuation = ContinuationQuery["flowRunContinuation"];

export function continuationQuery(flowRunId: string, request: ContinuationRequest) {
  return queryOptions({
    queryKey: flowRunKeys.continuation(flowRunId, request),
    queryFn: ({ signal }) => continuationOf(flowRunId, request, signal),
    staleTime: 0,
  });
}

export async function continuationOf(
  flowRunId: string,
  request: ContinuationRequest,
  signal?: AbortSignal,
): Promise<Continuation> {
  return (await execute(ContinuationDocument, { flowRunId, ...request }, signal)).flowRunContinuation;
}

export async function resumeRun(
  flowRunId: string,
  resume: Change & Pick<ResumeFlowRunInput, "taskSlug" | "mapIndex" | "anywhere">,
): Promise<void> {
  await execute(ResumeRunDocument, { input: { flowRunId, ...resume } });
}

export type Restart = Change &
  Pick<RestartFlowRunInput, "fromTask" | "newestVersion" | "anywhere"> & { parameters: Record<string, Json> };

export async function restartRun(flowRunId: string, restart: Restart): Promise<void> {
  await execute(RestartRunDocument, { input: { flowRunId, ...restart } });
}

/** The server's name of each state that a person can set. */
export const MARKED_STATE_NAMES: Record<MarkedState, MarkedStateName> = {
  Success: "SUCCESS",
  Failed: "FAILED",
  Cancelled: "CANCELLED",
  Skipped: "SKIPPED",
};

export async function markRun(
  flowRunId: string,
  { state, ...mark }: Change & { state: MarkedState; taskSlug?: string; mapIndex?: number },
): Promise<void> {
  await execute(MarkRunDocument, { input: { flowRunId, state: MARKED_STATE_NAMES[state], ...mark } });
}

export async function deleteRun(flowRunId: string, change: Change): Promise<void> {
  await execute(DeleteRunDocument, { input: { flowRunId, ...change } });
}

export async function pauseRun(flowRunId: string, change: Change): Promise<void> {
  await execute(PauseRunDocument, { input: { flowRunId, ...change } });
}

/** Resumes one task of a paused run. */
export async function approveTask(
  flowRunId: string,
  taskSlug: string,
  mapIndex: number,
  idempotencyKey: string,
): Promise<void> {
  const child = mapIndex >= 0 ? { mapIndex } : {};
  await execute(ResumeRunDocument, { input: { flowRunId, taskSlug, ...child, idempotencyKey } });
}
