/** Limits on what runs at a time, with what holds their slots. By REST: GraphQL has no limits. */

import { queryOptions } from "@tanstack/react-query";
import type { LimitKind } from "../lib/limits";
import { limitKeys } from "./keys";
import { read, write } from "./rest";

export interface Holder {
  flow_run_id: string;
  flow_run: string;
  since: string;
  /** Of a limit of tasks: the task that holds the slot. */
  task_slug: string | null;
  map_index: number;
}

export interface Limit {
  id: string;
  kind: LimitKind;
  /** A label, a tag, or a flow as `project/flow`. */
  name: string;
  slots: number;
  used: number;
  /** The longest holding first, at most 50. */
  holders: Holder[];
}

export const limitsQuery = queryOptions({
  queryKey: limitKeys.list,
  queryFn: async ({ signal }) => (await read<{ items: Limit[] }>("/concurrency-limits", signal)).items,
});

/** Sets a limit; one of the same kind and name gets the new number. */
export function putLimit(limit: Pick<Limit, "kind" | "name" | "slots">): Promise<Limit> {
  return write<Limit>("PUT /concurrency-limits", limit);
}

export function removeLimit(id: string): Promise<unknown> {
  return write(`DELETE /concurrency-limits/${id}`);
}
