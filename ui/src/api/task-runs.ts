/** The task runs of a flow run, page after page. */

import { infiniteQueryOptions } from "@tanstack/react-query";
import type { TaskRun } from "../lib/timeline";
import { ask, document } from "./graphql";

interface TaskRunPage {
  taskRuns: { items: TaskRun[]; next: string | null };
}

const TASK_RUNS = document<TaskRunPage, { id: string; after: string | null }>(`
  query TaskRuns($id: UUID!, $after: String) {
    taskRuns(flowRunId: $id, first: 200, after: $after) {
      items {
        id taskSlug mapIndex name state { type name message at } runCount startTime endTime created
        attempts { start end state type }
      }
      next
    }
  }`);

export function taskRunsQuery(flowRunId: string) {
  return infiniteQueryOptions({
    queryKey: ["task-runs", flowRunId],
    queryFn: async ({ pageParam, signal }) =>
      (await ask(TASK_RUNS, { id: flowRunId, after: pageParam }, signal)).taskRuns,
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
}
