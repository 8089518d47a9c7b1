/** Reads from REST of what GraphQL doesn't have in full. Every write is a mutation, except signing in and out. */

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
