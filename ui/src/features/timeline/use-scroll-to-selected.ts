/** Scrolls a list of tasks to what is selected elsewhere: by a link, in the log, or in the other view. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { childQuery } from "../../api/task-runs";
import { type Block, rowOfChild } from "../../lib/task-groups";
import { parseSelection } from "../../lib/task-selection";
import type { ChildrenView } from "./use-children";

/** Returns `onSelect` for the list's own rows, which are in sight already. With a filter by state, it does not scroll. */
export function useScrollToSelected(
  { flowRunId, family, sort }: ChildrenView,
  blocks: readonly Block[],
  selected: string,
  onSelect: (selection: string) => void,
  scrollTo: (row: number) => void,
): (selection: string) => void {
  const shown = useRef("");
  const { taskSlug, mapIndex } = parseSelection(selected) ?? { taskSlug: "", mapIndex: null };
  const block = blocks.find(({ group }) => group.taskSlug === taskSlug);
  const isChild = mapIndex !== null && block !== undefined && block.children > 0;
  const { data } = useQuery({ ...childQuery(flowRunId, taskSlug, mapIndex ?? -1), enabled: isChild && !family });
  const child = mapIndex === null ? null : data?.places[sort];
  const row = block && child !== undefined ? rowOfChild(block, child) : null;
  useEffect(() => {
    if (selected === shown.current) return;
    if (selected && row === null) return;
    shown.current = selected;
    if (row !== null) scrollTo(row);
  });
  return (selection) => {
    shown.current = selection;
    onSelect(selection);
  };
}
