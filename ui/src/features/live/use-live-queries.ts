/** Refetches what has changed and is on screen; after a gap, everything on screen. */

import { type QueryClient, type QueryFilters, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import type { Run } from "../../api/flow-runs";
import {
  agentKeys,
  flowKeys,
  flowRunKeys,
  jobKeys,
  knownFailureKeys,
  limitKeys,
  objectOf,
  peopleKeys,
  projectKeys,
  secretKeys,
  systemKeys,
} from "../../api/keys";
import { type Change, useChanges } from "../../api/live";
import type { System } from "../../api/system";

/** The topics that may change why some other run waits. */
const MOVES_OTHERS = new Set(["flow_run", "concurrency", "agent", "flow", "schedule", "hold", "maintenance"]);
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
  const events = changes as Change[];
  const again = (queryKey: readonly unknown[]) => refetch(client, { queryKey });
  const topics = new Set(events.map((change) => change.topic));
  const hasMoved = events.some((change) => change.kind !== "flow_run.progress" && MOVES_OTHERS.has(change.topic));
  if (topics.has("flow_run") || hasMoved) again(flowRunKeys.lists);
  const ids = new Set(events.map((change) => change.id));
  const isAboutOne = ({ queryKey }: { queryKey: readonly unknown[] }) => {
    const id = objectOf(queryKey);
    return id !== null && ids.has(id);
  };
  refetch(client, { predicate: isAboutOne });
  if (topics.has("project") || topics.has("flow")) again(projectKeys.lists);
  if (topics.has("job")) again(jobKeys.list);
  if (topics.has("flow_run") || topics.has("concurrency")) again(limitKeys.list);
  if (topics.has("secret") || topics.has("flow")) again(secretKeys.list);
  if (topics.has("known_failure")) {
    again(knownFailureKeys.list);
    again(flowRunKeys.all);
  }
  if (topics.has("user")) again(peopleKeys.all);
  else if (topics.has("token")) again(peopleKeys.tokens);
  if (hasMoved) {
    again(agentKeys.list);
    again(agentKeys.all);
    again(agentKeys.matches);
    again(flowKeys.lists);
    again(flowKeys.all);
    again(flowRunKeys.allCounts);
    refreshWaiting(client);
  }
  if (topics.has("hold") || topics.has("maintenance") || (hasMoved && isHeld(client))) again(systemKeys.all);
}

/** A request that is under way goes on, so that many changes can't keep a query from ever ending; since its answer may be older than
 * the change, the query is asked once more after it. */
function refetch(client: QueryClient, filters: QueryFilters): void {
  const underWay = client.getQueryCache().findAll({ ...filters, fetchStatus: "fetching" });
  const asked = client.invalidateQueries(filters, { cancelRefetch: false });
  if (underWay.length === 0) return;
  void asked.then(() => {
    for (const { queryKey } of underWay)
      void client.invalidateQueries({ queryKey, exact: true }, { cancelRefetch: false });
  });
}

/** Waiting runs wait for others: any change may change the reason, so all of them are refetched. What hangs on a run, such as what a
 * restart would run again, has no state. */
function refreshWaiting(client: QueryClient): void {
  const predicate = (query: { state: { data?: unknown } }) => {
    const run = query.state.data as Partial<Run> | null | undefined;
    return run?.state !== undefined && WAITING.has(run.state.type);
  };
  refetch(client, { queryKey: flowRunKeys.all, predicate });
}

function isHeld(client: QueryClient): boolean {
  return client.getQueryData<System>(systemKeys.all)?.hold.held ?? false;
}
