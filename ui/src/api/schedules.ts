/** Schedules: whether they are active, their policies, the due times that got no run, and backfills. */

import { infiniteQueryOptions } from "@tanstack/react-query";
import type { Policy, Preview } from "../lib/schedules";
import {
  BackfillDocument,
  type BackfillInput,
  BackfillPreviewDocument,
  EditScheduleDocument,
  SetScheduleActiveDocument,
  SkipsDocument,
  type SkipsQuery,
} from "./generated";
import { execute } from "./graphql";
import type { JobProgress } from "./jobs";
import { scheduleKeys } from "./keys";

/** Due times from `first` to `last` that have no run. */
export type Skip = SkipsQuery["scheduleSkips"]["items"][number];

export function skipsQuery(scheduleId: string) {
  return infiniteQueryOptions({
    queryKey: scheduleKeys.skips(scheduleId),
    queryFn: async ({ pageParam, signal }) =>
      (await execute(SkipsDocument, { scheduleId, after: pageParam }, signal)).scheduleSkips,
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
}

export async function setScheduleActive(scheduleId: string, active: boolean): Promise<void> {
  await execute(SetScheduleActiveDocument, { input: { scheduleId, active } });
}

/** A window of 0 seconds removes the window. */
export async function setPolicy(scheduleId: string, policy: Policy): Promise<void> {
  const input = { scheduleId, ...policy, catchUpWindow: policy.catchUpWindow ?? 0 };
  await execute(EditScheduleDocument, { input });
}

/** From `start` (inclusive) to `end` (exclusive), as ISO times. */
export interface Range {
  scheduleId: string;
  start: string;
  end: string;
}

export async function previewBackfill(range: Range): Promise<Preview> {
  return (await execute(BackfillPreviewDocument, { range })).backfillPreview;
}

export async function backfill(
  input: Pick<BackfillInput, "atOnce" | "perMinute"> & { range: Range; reason: string; idempotencyKey: string },
): Promise<JobProgress> {
  return (await execute(BackfillDocument, { input })).backfill.job;
}
