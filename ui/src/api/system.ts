/** What concerns the whole appliance: its disk, runs that are held after an outage, maintenance. */

import { queryOptions } from "@tanstack/react-query";
import { ask, document } from "./graphql";
import { request } from "./http";
import type { Job } from "./jobs";

export interface System {
  /** Bytes; null where the database is Postgres, whose disks are its own. */
  disk: { writable: boolean; freeBytes: number | null; totalBytes: number | null; warnings: string[] };
  hold: { held: boolean; runs: number; before: string | null };
  maintenance: { active: boolean; until: string | null; by: string; reason: string };
}

const SYSTEM = document<System, Record<string, never>>(`
  query System {
    disk { writable freeBytes totalBytes warnings }
    hold { held runs before }
    maintenance { active until by reason }
  }`);

export const SYSTEM_KEY = ["system"] as const;
/** A disk that fills up can't send an event. */
const ASK_EVERY = 60_000;

export const systemQuery = queryOptions({
  queryKey: SYSTEM_KEY,
  queryFn: ({ signal }) => ask(SYSTEM, {}, signal),
  staleTime: ASK_EVERY,
  refetchInterval: ASK_EVERY,
});

export interface Freed {
  /** Rows by what they were. */
  deleted: Record<string, number>;
  freed_bytes: number;
  disk: { writable: boolean; free_bytes: number | null };
}

export function freeSpace(keepDays: number): Promise<Freed> {
  return request<Freed>("POST", "/api/v1/system/free-space", { keep_days: keepDays });
}

export function releaseHold(reason: string): Promise<unknown> {
  return request("POST", "/api/v1/system/hold/release", { reason });
}

export function skipHeld(reason: string, idempotencyKey: string): Promise<Job> {
  return request<Job>("POST", "/api/v1/system/hold/skip", { reason, idempotency_key: idempotencyKey });
}

export function endMaintenance(): Promise<unknown> {
  return request("DELETE", "/api/v1/system/maintenance");
}
