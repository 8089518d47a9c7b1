/** What changed is asked again, as far as it is on screen; after a gap, everything on screen. */

import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import type { Run } from "../api/flow-runs";
import { type Change, useChanges } from "../api/live";
import { SYSTEM_KEY, type System } from "../api/system";

/** What may change the reason why some other run waits. */
const MOVES_OTHERS = new Set(["flow_run", "concurrency", "agent", "flow", "schedule", "hold", "maintenance"]);
/** What is asked about one object, by its id. */
const OF_ONE = new Set(["run", "task-runs", "job", "skips"]);
const WAITING = new Set(["SCHEDULED", "PENDING", "PAUSED"]);

export function useLiveQueries(): void {
  const client = useQueryClient();
  const refresh = useCallback((changes: (Change | null)[]) => refreshAfter(client, changes), [client]);
  useChanges(refresh);
}

function refreshAfter(client: QueryClient, changes: (Change | null)[]): void {
  if (changes.includes(null)) {
    void client.invalidateQueries();
    return;
  }
  const known = changes as Change[];
  const again = (...queryKey: unknown[]) => void client.invalidateQueries({ queryKey }, { cancelRefetch: false });
  const topics = new Set(known.map((change) => change.topic));
  const hasMoved = known.some((change) => change.kind !== "flow_run.progress" && MOVES_OTHERS.has(change.topic));
  if (topics.has("flow_run") || hasMoved) again("runs");
  const ids = new Set(known.map((change) => change.id));
  const isOfOne = ({ queryKey: [what, id] }: { queryKey: readonly unknown[] }) =>
    OF_ONE.has(what as string) && ids.has(id as string);
  void client.invalidateQueries({ predicate: isOfOne }, { cancelRefetch: false });
  if (topics.has("job")) again("jobs");
  if (topics.has("flow_run") || topics.has("concurrency")) again("limits");
  if (hasMoved) {
    again("flows");
    again("flow");
    again("counts");
    refreshWaiting(client);
  }
  if (topics.has("hold") || topics.has("maintenance") || (hasMoved && isHeld(client))) again(...SYSTEM_KEY);
}

/** Runs that wait, wait for others: their reason is asked again whatever has moved. */
function refreshWaiting(client: QueryClient): void {
  const predicate = (query: { state: { data?: unknown } }) => {
    const run = query.state.data as Run | null | undefined;
    return run != null && WAITING.has(run.state.type);
  };
  void client.invalidateQueries({ queryKey: ["run"], predicate }, { cancelRefetch: false });
}

function isHeld(client: QueryClient): boolean {
  return client.getQueryData<System>(SYSTEM_KEY)?.hold.held ?? false;
}
