/** Things done to many runs at once, and the jobs that do them. */

import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import type { BulkAction, BulkFilter, MarkedState } from "../lib/bulk";
import { ask, type Document, document } from "./graphql";
import { request } from "./http";

export interface Job {
  id: string;
  kind: string;
  state: "queued" | "running" | "done" | "cancelled" | "failed";
  message: string;
  total: number;
  done: number;
  refused: number;
  /** The first hundred: a run's id or a due time, and why it was left as it was. */
  refusals: { id: string; reason: string }[];
  created: string;
  updated: string;
  created_by: string;
  request: Record<string, unknown>;
}

export const isOver = (job: Pick<Job, "state">): boolean => job.state !== "queued" && job.state !== "running";

/** Each step sends an event; asking now and then is the net below. */
const ASK_EVERY = 5_000;

export function jobQuery(id: string) {
  return queryOptions({
    queryKey: ["job", id],
    queryFn: ({ signal }) => request<Job>("GET", `/api/v1/jobs/${id}`, undefined, signal),
    refetchInterval: ({ state: { data } }) => (data && !isOver(data) ? ASK_EVERY : false),
  });
}

export const jobsQuery = infiniteQueryOptions({
  queryKey: ["jobs"],
  queryFn: ({ pageParam, signal }) =>
    request<{ items: Job[]; next: string | null }>(
      "GET",
      `/api/v1/jobs?limit=50${pageParam ? `&after=${encodeURIComponent(pageParam)}` : ""}`,
      undefined,
      signal,
    ),
  initialPageParam: "",
  getNextPageParam: (page) => page.next,
});

export function cancelJob(id: string, reason: string): Promise<Job> {
  return request<Job>("POST", `/api/v1/jobs/${id}/cancel`, { reason });
}

export interface Bulk {
  action: BulkAction;
  ids?: string[];
  filter?: BulkFilter;
  reason: string;
  state?: MarkedState;
  idempotency_key: string;
}

/** Up to 200 runs are done when this answers; with more, the job goes on. */
export function bulk(wanted: Bulk): Promise<Job> {
  return request<Job>("POST", "/api/v1/bulk", wanted);
}

export interface Count {
  total: number;
  totalCapped: boolean;
}

/** How many runs each of the filters finds, in one question. */
export function countsQuery(filters: Partial<Record<BulkAction, BulkFilter>>) {
  return queryOptions({
    queryKey: ["counts", filters],
    queryFn: async ({ signal }) => {
      const actions = Object.keys(filters) as BulkAction[];
      if (actions.length === 0) return {};
      const variables = Object.fromEntries(actions.map((action) => [action, toGraphql(filters[action] as BulkFilter)]));
      return ask(counting(actions), variables, signal);
    },
  });
}

function counting(actions: readonly BulkAction[]): Document<Partial<Record<BulkAction, Count>>, object> {
  const given = actions.map((action) => `$${action}: FlowRunFilter`).join(", ");
  const asked = actions.map((action) => `${action}: flowRuns(filter: $${action}, first: 1) { total totalCapped }`);
  return document(`query Counts(${given}) { ${asked.join(" ")} }`);
}

function toGraphql({ states, text, flow_id, until }: BulkFilter) {
  return { stateTypes: states, text, flowId: flow_id, until };
}
