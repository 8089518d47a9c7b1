/** The REST routes that the UI needs beside GraphQL. Reads of what GraphQL doesn't carry in full, and two kinds of writes: who is
 * signed in, which is about the session's cookie, and what GraphQL has no mutation for. Every other write is a mutation. */

import { request } from "./http";

const ROOT = "/api/v1";

/** A page of a list whose cursor is the parameter `after`. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

export function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  return request<T>("GET", ROOT + path, undefined, signal);
}

export function readPage<T>(path: string, after: string, signal?: AbortSignal): Promise<Page<T>> {
  return read(`${path}?limit=50${after && `&after=${encodeURIComponent(after)}`}`, signal);
}

type Session = "POST /login" | "POST /logout" | "POST /setup";
type WithoutMutation =
  | "PUT /concurrency-limits"
  | `DELETE /concurrency-limits/${string}`
  | `PATCH /schedules/${string}`
  | "POST /system/free-space"
  | "DELETE /system/maintenance";

/** Only these routes: look for a mutation before adding one. */
export function write<T = unknown>(route: Session | WithoutMutation, body?: unknown): Promise<T> {
  const [method, path] = route.split(" ", 2) as [string, string];
  return request<T>(method, ROOT + path, body);
}
