/** Changes to many runs at once, and the jobs that make them. */

import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import type { BulkAction, BulkFilter, MarkedState } from "../lib/bulk";
import { isUuid } from "../lib/run-filter";
import { MARKED_STATE_NAMES } from "./flow-runs";
import {
  type BulkAction as BulkActionName,
  BulkDocument,
  CancelJobDocument,
  JobDocument,
  type JobProgressFragment,
  type JobQuery,
  JobsDocument,
} from "./generated";
import { execute } from "./graphql";
import { jobKeys } from "./keys";

/** A job's progress. */
export type JobProgress = JobProgressFragment;

/** A job with its first hundred refusals, each with a run's id or a due time. */
export type Job = NonNullable<JobQuery["job"]>;

export const isOver = (job: Pick<Job, "state">): boolean => job.state !== "queued" && job.state !== "running";

/** Each step sends an event; polling is the fallback. */
const ASK_EVERY = 5_000;

export function jobQuery(id: string) {
  return queryOptions({
    queryKey: jobKeys.one(id),
    queryFn: async ({ signal }) => (isUuid(id) ? (await execute(JobDocument, { id }, signal)).job : null),
    refetchInterval: ({ state: { data } }) => (data && !isOver(data) ? ASK_EVERY : false),
  });
}

export const jobsQuery = infiniteQueryOptions({
  queryKey: jobKeys.list,
  queryFn: async ({ pageParam, signal }) => (await execute(JobsDocument, { after: pageParam }, signal)).jobs,
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next,
});

export async function cancelJob(jobId: string, reason: string): Promise<JobProgress> {
  return (await execute(CancelJobDocument, { input: { jobId, reason } })).cancelJob.job;
}

const ACTION_NAMES: Record<BulkAction, BulkActionName> = {
  restart: "RESTART",
  start_now: "START_NOW",
  cancel: "CANCEL",
  mark: "MARK",
  delete: "DELETE",
};

export interface Bulk {
  action: BulkAction;
  ids?: string[];
  filter?: BulkFilter;
  reason: string;
  /** The new state, for marking. */
  state?: MarkedState;
  idempotencyKey: string;
}

/** Up to 200 runs are done when this returns; with more, the job continues. */
export async function bulk({ action, state, ...rest }: Bulk): Promise<JobProgress> {
  const input = { ...rest, action: ACTION_NAMES[action], ...(state && { state: MARKED_STATE_NAMES[state] }) };
  return (await execute(BulkDocument, { input })).bulkFlowRuns.job;
}
