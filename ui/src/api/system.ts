/** The state of the whole appliance: disk, runs held after an outage, maintenance. */

import { queryOptions } from "@tanstack/react-query";
import {
  BeginMaintenanceDocument,
  EndMaintenanceDocument,
  FreeSpaceDocument,
  type FreeSpaceMutation,
  ReleaseHoldDocument,
  SkipHeldDocument,
  SystemDocument,
  type SystemQuery,
} from "./generated";
import { execute } from "./graphql";
import type { JobProgress } from "./jobs";
import { systemKeys } from "./keys";

/** The disk's bytes are null on Postgres, which has disks of its own. */
export type System = SystemQuery;

/** A disk that is filling up sends no event. */
const ASK_EVERY = 60_000;

export const systemQuery = queryOptions({
  queryKey: systemKeys.all,
  queryFn: ({ signal }) => execute(SystemDocument, {}, signal),
  staleTime: ASK_EVERY,
  refetchInterval: ASK_EVERY,
});

export type Freed = FreeSpaceMutation["freeSpace"];

export async function freeSpace(keepDays: number): Promise<Freed> {
  return (await execute(FreeSpaceDocument, { input: { keepDays } })).freeSpace;
}

export async function releaseHold(reason: string): Promise<void> {
  await execute(ReleaseHoldDocument, { input: { reason } });
}

export async function skipHeld(input: { reason: string; idempotencyKey: string }): Promise<JobProgress> {
  return (await execute(SkipHeldDocument, { input })).skipHeld.job;
}

export async function endMaintenance(): Promise<void> {
  await execute(EndMaintenanceDocument, {});
}

/** `seconds`: after which it ends; null: somebody has to end it. */
export async function beginMaintenance(seconds: number | null, reason: string): Promise<void> {
  await execute(BeginMaintenanceDocument, { input: { duration: seconds, reason } });
}
