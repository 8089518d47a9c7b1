/** Flows: the list, and one flow with its schedules. */

import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import {
  FlowDocument,
  FlowHistoryDocument,
  type FlowHistoryQuery,
  type FlowQuery,
  FlowsDocument,
  type FlowsQuery,
  FlowTasksDocument,
  type FlowTasksQuery,
  SetFlowDefaultsDocument,
  type SetFlowDefaultsInput,
  SetRunTimeoutDocument,
} from "./generated";
import { execute } from "./graphql";
import { flowKeys } from "./keys";
import { type WithRecentRuns, withRecentRuns } from "./strips";

export type FlowRow = WithRecentRuns<FlowsQuery["flows"]["items"][number]>;
export type Flow = NonNullable<FlowQuery["flow"]>;
export type FlowHistory = FlowHistoryQuery["flowHistory"];
export type FlowTasks = FlowTasksQuery["flowTasks"];
/** `catchUpWindow` is in seconds. */
export type Schedule = Flow["schedules"][number];

/** The flows in use, or those in the archive. */
export function flowsQuery(name: string, archived = false) {
  const filter = { ...(name && { name }), ...(archived && { archived }) };
  return infiniteQueryOptions({
    queryKey: flowKeys.list(name, archived),
    queryFn: async ({ pageParam, signal }) => {
      const { items, next } = (await execute(FlowsDocument, { filter, after: pageParam }, signal)).flows;
      return { items: items.map(withRecentRuns), next };
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
}

export function flowQuery(id: string) {
  return queryOptions({
    queryKey: flowKeys.one(id),
    queryFn: async ({ signal }) => (await execute(FlowDocument, { id }, signal)).flow,
  });
}

/** Its last runs, how long they took, and why some failed. */
export function flowHistoryQuery(flowId: string) {
  return queryOptions({
    queryKey: flowKeys.history(flowId),
    queryFn: async ({ signal }) => (await execute(FlowHistoryDocument, { flowId }, signal)).flowHistory,
    refetchInterval: 30_000,
  });
}

/** What each task took in its last runs. */
export function flowTasksQuery(flowId: string) {
  return queryOptions({
    queryKey: flowKeys.tasks(flowId),
    queryFn: async ({ signal }) => (await execute(FlowTasksDocument, { flowId }, signal)).flowTasks,
    refetchInterval: 60_000,
  });
}

/** 0 seconds: no limit; null: what the code says, or else the site. */
export async function setRunTimeout(flowId: string, seconds: number | null) {
  return (await execute(SetRunTimeoutDocument, { input: { flowId, seconds } })).setRunTimeout.flow;
}

/** All of it replaces what is there. */
export async function setFlowDefaults(input: SetFlowDefaultsInput) {
  return (await execute(SetFlowDefaultsDocument, { input })).setFlowDefaults.flow;
}
