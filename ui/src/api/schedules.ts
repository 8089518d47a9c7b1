/** Schedules: whether they are active, their policies, the due times that got no run, and backfills. */

import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import type { Json } from "../lib/json";
import type { ScheduleChanges } from "../lib/schedule-form";
import type { Preview } from "../lib/schedules";
import {
  BackfillDocument,
  type BackfillInput,
  BackfillPreviewDocument,
  CreateScheduleDocument,
  type CreateScheduleInput,
  DeleteScheduleDocument,
  type DeleteScheduleInput,
  EditScheduleDocument,
  ScheduleDeletionDocument,
  ScheduleNextDocument,
  type ScheduleNextQuery,
  SchedulePreviewDocument,
  SetScheduleActiveDocument,
  SkipDueTimeDocument,
  type SkipDueTimeInput,
  SkipsDocument,
  type SkipsQuery,
  UnskipDueTimeDocument,
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

/** The next due times, with what is special about them. */
export type SchedulePreview = ScheduleNextQuery["scheduleNext"];
export type DueTime = SchedulePreview["times"][number];

export function nextTimesQuery(scheduleId: string) {
  return queryOptions({
    queryKey: scheduleKeys.next(scheduleId),
    queryFn: async ({ signal }) => (await execute(ScheduleNextDocument, { scheduleId }, signal)).scheduleNext,
    staleTime: 0,
  });
}

/** A schedule in a form. With the id of a stored one, what is skipped of that is marked. */
export interface ScheduleContent {
  document: Json;
  parameters: Json;
  scheduleId?: string;
}

/** The due times that a schedule would have; nothing is changed. */
export function previewQuery(flowId: string, content: ScheduleContent) {
  return queryOptions({
    queryKey: scheduleKeys.preview(flowId, content),
    queryFn: async ({ signal }) =>
      (await execute(SchedulePreviewDocument, { flowId, ...content }, signal)).schedulePreview,
    placeholderData: keepPreviousData,
    retry: false,
  });
}

export async function setScheduleActive(scheduleId: string, active: boolean): Promise<void> {
  await execute(SetScheduleActiveDocument, { input: { scheduleId, active } });
}

/** How many planned runs would go with a schedule. */
export function scheduleDeletionQuery(scheduleId: string) {
  return queryOptions({
    queryKey: scheduleKeys.deletion(scheduleId),
    queryFn: async ({ signal }) =>
      (await execute(ScheduleDeletionDocument, { scheduleId }, signal)).scheduleDeletion.plannedRuns,
    staleTime: 0,
    gcTime: 0,
  });
}

/** Refused if the flow's code declares the schedule. */
export async function deleteSchedule(input: DeleteScheduleInput): Promise<void> {
  await execute(DeleteScheduleDocument, { input });
}

/** Skips one due time, or restores it; the schedule itself stays as it is. */
export async function setSkipped(input: SkipDueTimeInput, isSkipped: boolean): Promise<void> {
  if (isSkipped) await execute(SkipDueTimeDocument, { input });
  else await execute(UnskipDueTimeDocument, { input });
}

/** Its next runs are planned when this returns; the schedule in words. */
export async function createSchedule(input: CreateScheduleInput): Promise<string> {
  return (await execute(CreateScheduleDocument, { input })).createSchedule.schedule.description;
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
