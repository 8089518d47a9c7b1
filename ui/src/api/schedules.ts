/** Schedules: whether they are active, their policies, the due times that got no run, and backfills. */

import { infiniteQueryOptions } from "@tanstack/react-query";
import type { ScheduleChanges } from "../lib/schedule-form";
import type { Preview } from "../lib/schedules";
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

/** Refused if the schedule has another version by now. A window of 0 seconds removes the window. */
export async function editSchedule(scheduleId: string, version: number, changes: ScheduleChanges): Promise<void> {
  await execute(EditScheduleDocument, { input: { scheduleId, version, ...changes } });
}

/** Gives a field the value that the flow's code declares. */
export async function resetScheduleField(scheduleId: string, version: number, field: string): Promise<void> {
  await execute(EditScheduleDocument, { input: { scheduleId, version, reset: [field] } });
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
