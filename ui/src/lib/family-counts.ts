/** The number of task runs in each family of states. */

import { FAMILIES, lookOf, type StateLook } from "./states";
import type { TaskGroup } from "./task-groups";

export interface FamilyCount extends StateLook {
  count: number;
}

/** The number of task runs in each family; a mapped task counts by its children. */
export function familyCounts(groups: readonly TaskGroup[]): FamilyCount[] {
  const counts = new Map<string, FamilyCount>();
  const add = (state: { type: string; name: string }, count: number) => {
    const look = lookOf(state);
    const entry = counts.get(look.family);
    if (entry) entry.count += count;
    else counts.set(look.family, { ...look, count });
  };
  for (const { own, states } of groups) {
    for (const state of states) add(state, state.count);
    if (own && states.length === 0) add(own.state, 1);
  }
  return [...counts.values()].sort((a, b) => FAMILIES.indexOf(a.family) - FAMILIES.indexOf(b.family));
}
