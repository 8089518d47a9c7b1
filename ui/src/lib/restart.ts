/** What a restart runs again: the same rule as the server's, so that a person sees it before. */

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

/** Those without success and those of the chosen task, with all that comes after them. Of a mapped task only the children that did
 * not succeed, and of what is mapped over them only the children that follow those. */
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

/** `load-1, fetch-1 (2 of 6)`: the tasks by name, with how many children where not all. */
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
