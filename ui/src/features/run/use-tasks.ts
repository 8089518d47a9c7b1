/** All task runs of a run, loaded page by page up to a maximum. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import type { Run } from "../../api/flow-runs";
import { taskRunsQuery } from "../../api/task-runs";
import { type TaskRun, withoutPlumbing } from "../../lib/timeline";

const MOST_PAGES = 50;

export interface Tasks {
  tasks: readonly TaskRun[];
  /** The slugs in the order of the flow. */
  order: readonly string[];
  isPending: boolean;
  /** Only while there is no data to display. */
  error: Error | null;
  retry: () => void;
  isLoadingMore: boolean;
  /** Whether the run has more task runs than are ever loaded. */
  isCapped: boolean;
}

export function useTasks(run: Run): Tasks {
  const { hasNextPage, isFetching, fetchNextPage, data, isPending, error, refetch } = useInfiniteQuery(
    taskRunsQuery(run.id),
  );
  const isFull = (data?.pages.length ?? 0) >= MOST_PAGES;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isFull && !error) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage, isFull, error]);
  const tasks = useMemo(
    () => withoutPlumbing(data?.pages.flatMap((page) => page.items) ?? [], run.version.tasks),
    [data, run.version.tasks],
  );
  const order = useMemo(() => run.version.tasks.map((task) => task.slug), [run.version.tasks]);
  return {
    tasks,
    order,
    isPending,
    error: data ? null : error,
    retry: () => void refetch(),
    isLoadingMore: hasNextPage && !isFull,
    isCapped: hasNextPage && isFull,
  };
}
