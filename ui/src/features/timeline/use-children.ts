/** The children of mapped tasks, asked for as far as their rows are in sight. */

import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import { CHILDREN, childrenQuery } from "../../api/task-runs";
import type { Family } from "../../lib/states";
import { type Block, pagesOf, type TaskRun } from "../../lib/task-groups";
export interface ChildrenView {
  flowRunId: string;
  /** Only children in one of its states. */
  family: Family | null;
  sort: "INDEX" | "WORST_FIRST";
}

/** Finds a child by its task and its place among those listed; undefined until it has arrived. */
export function useChildren(
  { flowRunId, family, sort }: ChildrenView,
  blocks: readonly Block[],
  first: number,
  last: number,
): (taskSlug: string, place: number) => TaskRun | undefined {
  const pages = useMemo(() => pagesOf(blocks, first, last, CHILDREN), [blocks, first, last]);
  const answers = useQueries({
    queries: pages.map(({ group, page }) => {
      const names = family && group.states.map(({ name }) => name);
      return childrenQuery(flowRunId, group.taskSlug, names, sort, page);
    }),
  });
  const found = new Map(pages.map(({ group, page }, index) => [`${group.taskSlug} ${page}`, answers[index]?.data]));
  return (taskSlug, place) => found.get(`${taskSlug} ${Math.floor(place / CHILDREN)}`)?.[place % CHILDREN];
}
