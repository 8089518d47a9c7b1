/** The task runs of a flow run, page by page. */

import { infiniteQueryOptions } from "@tanstack/react-query";
import { TaskRunsDocument } from "./generated";
import { execute } from "./graphql";
import { taskRunKeys } from "./keys";

export function taskRunsQuery(flowRunId: string) {
  return infiniteQueryOptions({
    queryKey: taskRunKeys.ofRun(flowRunId),
    queryFn: async ({ pageParam, signal }) =>
      (await execute(TaskRunsDocument, { id: flowRunId, after: pageParam }, signal)).taskRuns,
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
}
