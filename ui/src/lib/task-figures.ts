/** What a flow's tasks took in its last runs: in which order they are listed. */

export interface TaskFigures {
  slug: string;
  ended: number;
  failed: number;
  retries: number;
  medianSeconds: number | null;
  p95Seconds: number | null;
  criticalShare: number;
}

export const TASK_SORTS = ["task", "median", "p95", "failed", "retries", "share"] as const;
export type TaskSort = (typeof TASK_SORTS)[number];
export const FIRST_SORT: TaskSort = "share";

export function parseTaskSort(value: unknown): TaskSort | undefined {
  return TASK_SORTS.find((sort) => sort === value);
}

/** From 0 to 1; 0 for a task that never ended. */
export function failureRate({ ended, failed }: TaskFigures): number {
  return ended === 0 ? 0 : failed / ended;
}

const VALUES: Record<Exclude<TaskSort, "task">, (task: TaskFigures) => number> = {
  median: (task) => task.medianSeconds ?? -1,
  p95: (task) => task.p95Seconds ?? -1,
  failed: failureRate,
  retries: (task) => task.retries,
  share: (task) => task.criticalShare,
};

/** Numbers with the largest first, names from A to Z. */
export function sortedTasks<T extends TaskFigures>(tasks: readonly T[], sort: TaskSort): T[] {
  const byName = (one: T, other: T) => one.slug.localeCompare(other.slug, "en");
  if (sort === "task") return [...tasks].sort(byName);
  const value = VALUES[sort];
  return [...tasks].sort((one, other) => value(other) - value(one) || byName(one, other));
}

/** `0 %`, `3.2 %`, `67 %` */
export function percent(share: number): string {
  const value = share * 100;
  return `${value > 0 && value < 10 ? value.toFixed(1).replace(/\.0$/, "") : Math.round(value)} %`;
}
