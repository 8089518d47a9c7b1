/** The tasks of a flow run: all of them as groups, their task runs only as far as a page shows them. */

import { infiniteQueryOptions, type QueryClient, queryOptions } from "@tanstack/react-query";
import { runQuery } from "./flow-runs";
import {
  ChildDocument,
  RunPageDocument,
  TaskGroupsDocument,
  type TaskRunFilter,
  type TaskRunSort,
  TaskRunsDocument,
} from "./generated";
import { execute } from "./graphql";
import { taskRunKeys } from "./keys";

/** How many children are asked for at a time. */
export const CHILDREN = 100;

export function taskGroupsQuery(flowRunId: string) {
  return infiniteQueryOptions({
    queryKey: taskRunKeys.groups(flowRunId),
    queryFn: async ({ pageParam, signal }) =>
      (await execute(TaskGroupsDocument, { id: flowRunId, after: pageParam }, signal)).taskGroups,
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
}

/** A run and its tasks, in one request. */
export function prefetchRunPage(queries: QueryClient, id: string): void {
  let answer: ReturnType<typeof askForPage> | undefined;
  const page = () => {
    answer ??= askForPage(id);
    return answer;
  };
  void queries.prefetchQuery({ ...runQuery(id), queryFn: async () => (await page()).flowRun });
  void queries.prefetchInfiniteQuery({ ...taskGroupsQuery(id), queryFn: async () => (await page()).taskGroups });
}

function askForPage(id: string) {
  return execute(RunPageDocument, { id });
}

/** One page of a task's children, of all or of those in some states. */
export function childrenQuery(
  flowRunId: string,
  taskSlug: string,
  stateNames: readonly string[] | null,
  sort: TaskRunSort,
  page: number,
) {
  const filter = { taskSlug, children: true, ...(stateNames && { stateNames: [...stateNames] }) };
  return taskRunsQuery(flowRunId, filter, sort, CHILDREN, page * CHILDREN);
}

/** A child, null if there is none, and where it is in each order. */
export function childQuery(flowRunId: string, taskSlug: string, mapIndex: number) {
  return queryOptions({
    queryKey: taskRunKeys.some(flowRunId, { taskSlug, mapIndex }),
    queryFn: async ({ signal }) => {
      const answer = await execute(ChildDocument, { id: flowRunId, taskSlug, mapIndex }, signal);
      const places = { INDEX: answer.place, WORST_FIRST: answer.placeByState };
      return { run: answer.taskRuns.items[0] ?? null, places };
    },
  });
}

export function pausedTasksQuery(flowRunId: string, first: number) {
  return taskRunsQuery(flowRunId, { stateTypes: ["PAUSED"] }, "INDEX", first);
}

function taskRunsQuery(flowRunId: string, filter: TaskRunFilter, sort: TaskRunSort, first: number, offset = 0) {
  return queryOptions({
    queryKey: taskRunKeys.some(flowRunId, { ...filter, sort, first, offset }),
    queryFn: async ({ signal }) =>
      (await execute(TaskRunsDocument, { id: flowRunId, filter, sort, first, offset }, signal)).taskRuns.items,
  });
}
