/** The state of the whole appliance: disk, runs held after an outage, maintenance. */

import { queryOptions } from "@tanstack/react-query";
import { ReleaseHoldDocument, SkipHeldDocument, SystemDocument, type SystemQuery } from "./generated";
import { execute } from "./graphql";
import type { JobProgress } from "./jobs";
import { systemKeys } from "./keys";
import { write } from "./rest";

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

export interface Freed {
  /** Deleted rows by kind. */
  deleted: Record<string, number>;
  freed_bytes: number;
  disk: { writable: boolean; free_bytes: number | null };
}

export function freeSpace(keepDays: number): Promise<Freed> {
  return write<Freed>("POST /system/free-space", { keep_days: keepDays });
}

export async function releaseHold(reason: string): Promise<void> {
  await execute(ReleaseHoldDocument, { input: { reason } });
}

export async function skipHeld(reason: string, idempotencyKey: string): Promise<JobProgress> {
  return (await execute(SkipHeldDocument, { input: { reason, idempotencyKey } })).skipHeld.job;
}

export function endMaintenance(): Promise<unknown> {
  return write("DELETE /system/maintenance");
}
