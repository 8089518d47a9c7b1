/** All tasks of a run as groups, loaded page by page up to a maximum, and single task runs where a page shows them. */

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import type { Run } from "../../api/flow-runs";
import { childQuery, taskGroupsQuery } from "../../api/task-runs";
import { type TaskGroup, type TaskRun, withoutPlumbing } from "../../lib/task-groups";
import { parseSelection } from "../../lib/task-selection";

const MOST_PAGES = 50;

export interface Tasks {
  groups: readonly TaskGroup[];
  /** The slugs in the order of the flow. */
  order: readonly string[];
  isPending: boolean;
  /** Only while there is no data to display. */
  error: Error | null;
  retry: () => void;
  isLoadingMore: boolean;
  /** Whether the run has more tasks than are ever loaded. */
  isCapped: boolean;
}

export function useTasks(run: Run): Tasks {
  const { hasNextPage, isFetching, fetchNextPage, data, isPending, error, refetch } = useInfiniteQuery(
    taskGroupsQuery(run.id),
  );
  const isFull = (data?.pages.length ?? 0) >= MOST_PAGES;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isFull && !error) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage, isFull, error]);
  const groups = useMemo(
    () => withoutPlumbing(data?.pages.flatMap((page) => page.items) ?? [], run.version.tasks),
    [data, run.version.tasks],
  );
  const order = useMemo(() => run.version.tasks.map((task) => task.slug), [run.version.tasks]);
  return {
    groups,
    order,
    isPending,
    error: data ? null : error,
    retry: () => void refetch(),
    isLoadingMore: hasNextPage && !isFull,
    isCapped: hasNextPage && isFull,
  };
}

/** The task run of a selection; only a child is asked for. */
export function useTaskRun(flowRunId: string, groups: readonly TaskGroup[], selection: string): TaskRun | undefined {
  const { taskSlug, mapIndex } = parseSelection(selection) ?? { taskSlug: "", mapIndex: null };
  const group = groups.find((one) => one.taskSlug === taskSlug);
  const isChild = group !== undefined && mapIndex !== null;
  const { data } = useQuery({ ...childQuery(flowRunId, taskSlug, mapIndex ?? -1), enabled: isChild });
  return (isChild ? data?.run : group?.own) ?? undefined;
}
