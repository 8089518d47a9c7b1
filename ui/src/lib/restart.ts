/** Which tasks a restart runs again: the server's rule, so that the dialog can show it beforehand. */

export interface Edge {
  upstream: string;
  downstream: string;
  mapped: boolean;
  flattened: boolean;
}

interface Ran {
  taskSlug: string;
  mapIndex: number;
  state: { type: string };
}

const keyOf = (slug: string, index: number) => `${index}:${slug}`;

/** The unsuccessful tasks, the chosen task, and everything downstream. Of a mapped task only the unsuccessful children,
 * and of tasks mapped over it only their counterparts. */
export function toRunAgain<T extends Ran>(edges: readonly Edge[], tasks: readonly T[], fromTask: string | null): T[] {
  const bySlug = new Map<string, T[]>();
  for (const task of tasks) bySlug.set(task.taskSlug, [...(bySlug.get(task.taskSlug) ?? []), task]);
  const after = new Map<string, Edge[]>();
  for (const edge of edges) after.set(edge.upstream, [...(after.get(edge.upstream) ?? []), edge]);
  const again = new Map<string, T>();
  const queue: { slug: string; index: number }[] = fromTask === null ? [] : [{ slug: fromTask, index: -1 }];
  const add = (task: T) => {
    const key = keyOf(task.taskSlug, task.mapIndex);
    if (again.has(key)) return;
    again.set(key, task);
    queue.push({ slug: task.taskSlug, index: task.mapIndex });
  };
  for (const task of tasks) if (task.state.type !== "SUCCESS" || task.taskSlug === fromTask) add(task);
  for (let next = queue.shift(); next; next = queue.shift()) {
    for (const edge of after.get(next.slug) ?? []) {
      const follows = bySlug.get(edge.downstream) ?? [];
      const isChild = next.index >= 0 && edge.mapped && !edge.flattened;
      const index = next.index;
      for (const task of isChild ? follows.filter((one) => one.mapIndex === index) : follows) add(task);
    }
  }
  return [...again.values()];
}

/** `load-1, fetch-1 (2 of 6)`: the tasks by name, with the number of children unless it is all of them. */
export function againInWords(again: readonly Ran[], all: readonly Ran[]): string {
  const count = (tasks: readonly Ran[]) => {
    const counts = new Map<string, number>();
    for (const { taskSlug, mapIndex } of tasks)
      counts.set(taskSlug, (counts.get(taskSlug) ?? 0) + (mapIndex >= 0 ? 1 : 0));
    return counts;
  };
  const totals = count(all);
  return [...count(again)]
    .map(([slug, some]) =>
      some > 0 && some < (totals.get(slug) ?? 0) ? `${slug} (${some} of ${totals.get(slug)})` : slug,
    )
    .join(", ");
}
