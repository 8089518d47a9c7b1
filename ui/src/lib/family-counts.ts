/** The number of task runs in each family of states. */

import { FAMILIES, lookOf, type StateLook } from "./states";
import { mappedSlugs, type TaskRun } from "./timeline";

export interface FamilyCount extends StateLook {
  count: number;
}

/** The number of task runs in each family; a mapped task counts by its children. */
export function familyCounts(tasks: readonly TaskRun[]): FamilyCount[] {
  const mapped = mappedSlugs(tasks);
  const counts = new Map<string, FamilyCount>();
  for (const task of tasks) {
    if (task.mapIndex < 0 && mapped.has(task.taskSlug)) continue;
    const look = lookOf(task.state);
    const entry = counts.get(look.family);
    if (entry) entry.count += 1;
    else counts.set(look.family, { ...look, count: 1 });
  }
  return [...counts.values()].sort((a, b) => FAMILIES.indexOf(a.family) - FAMILIES.indexOf(b.family));
}
