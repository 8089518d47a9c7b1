/** A flow's last runs, which the server sends in columns: a page of flows has more than a thousand. */

import type { PastRun } from "../lib/home";
import type { StripRunsFragment } from "./generated";

interface HasStrip {
  strip: StripRunsFragment;
}

export type WithRecentRuns<F extends HasStrip> = F & { recentRuns: readonly PastRun[] };

export function withRecentRuns<F extends HasStrip>(flow: F): WithRecentRuns<F> {
  const { ids, stateTypes, stateNames, startTimes, endTimes } = flow.strip;
  const recentRuns = ids.map((id, place) => ({
    id,
    state: { type: stateTypes[place] ?? "", name: stateNames[place] ?? "" },
    startTime: startTimes[place] ?? null,
    endTime: endTimes[place] ?? null,
  }));
  return { ...flow, recentRuns };
}
