/** Concurrency limits and the holders of their slots. From REST: GraphQL has no limits. */

import { queryOptions } from "@tanstack/react-query";
import type { LimitKind } from "../lib/limits";
import { limitKeys } from "./keys";
import { read, write } from "./rest";

export interface Holder {
  flow_run_id: string;
  flow_run: string;
  since: string;
  /** For a limit on tasks: the task that holds the slot. */
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
  /** The longest holders first, at most 50. */
  holders: Holder[];
}

export const limitsQuery = queryOptions({
  queryKey: limitKeys.list,
  queryFn: async ({ signal }) => (await read<{ items: Limit[] }>("/concurrency-limits", signal)).items,
});

/** Creates a limit, or changes the slots of the one with the same kind and name. */
export function putLimit(limit: Pick<Limit, "kind" | "name" | "slots">): Promise<Limit> {
  return write<Limit>("PUT /concurrency-limits", limit);
}

export function removeLimit(id: string): Promise<unknown> {
  return write(`DELETE /concurrency-limits/${id}`);
}
