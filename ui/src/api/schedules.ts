/** Schedules: their policies, the due times that got no run, and backfills. */

import { infiniteQueryOptions } from "@tanstack/react-query";
import type { Policy, Preview } from "../lib/schedules";
import { request } from "./http";
import type { Job } from "./jobs";

/** Due times from `first` to `last` that have no run. */
export interface Skip {
  first: string;
  last: string;
  count: number;
  code: string;
  reason: string;
  at: string;
}

export function skipsQuery(scheduleId: string) {
  return infiniteQueryOptions({
    queryKey: ["skips", scheduleId],
    queryFn: ({ pageParam, signal }) =>
      request<{ items: Skip[]; next: string | null }>(
        "GET",
        `/api/v1/schedules/${scheduleId}/skips?limit=50${pageParam ? `&after=${encodeURIComponent(pageParam)}` : ""}`,
        undefined,
        signal,
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
  });
}

/** A window of 0 seconds takes the window away. */
export function setPolicy(scheduleId: string, policy: Policy): Promise<unknown> {
  return request("PATCH", `/api/v1/schedules/${scheduleId}`, {
    catch_up: policy.catchUp,
    catch_up_cap: policy.catchUpCap,
    catch_up_window: policy.catchUpWindow ?? 0,
    overlap: policy.overlap,
  });
}

/** From `start` until before `end`, as ISO times. */
export interface Range {
  schedule_id: string;
  start: string;
  end: string;
}

export function previewBackfill(range: Range): Promise<Preview> {
  return request<Preview>("POST", "/api/v1/backfills/preview", range);
}

export function backfill(
  wanted: Range & { at_once: number; per_minute?: number; reason: string; idempotency_key: string },
): Promise<Job> {
  return request<Job>("POST", "/api/v1/backfills", wanted);
}
