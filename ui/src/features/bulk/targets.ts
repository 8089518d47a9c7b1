/** What can be done to the selected runs: each action with the runs that can take it. */

import { useQuery } from "@tanstack/react-query";
import { type Count, countsQuery, type RunRow } from "../../api/flow-runs";
import { BULK, type BulkAction, type BulkFilter, type BulkKind, filterFor } from "../../lib/bulk";
import type { RunFilter } from "../../lib/run-filter";
import type { Selection } from "../../lib/selection";
import { useMay } from "../session/permissions";

/** The runs that one action is about: named, or all that a filter finds. */
export interface Target {
  kind: BulkKind;
  count: Count;
  runs?: readonly RunRow[];
  filter?: BulkFilter;
}

export function useTargets(selection: Selection, selected: readonly RunRow[], list: RunFilter): Target[] {
  const may = useMay();
  const kinds = may("runs:bulk") ? BULK.filter((kind) => may(kind.permission)) : [];
  const filters: Partial<Record<BulkAction, BulkFilter>> = {};
  if (selection.allSince !== null) {
    for (const kind of kinds) {
      const filter = filterFor(kind, list, selection.allSince);
      if (filter) filters[kind.action] = filter;
    }
  }
  const counts = useQuery({ ...countsQuery(filters), enabled: selection.allSince !== null });
  const targets =
    selection.allSince === null
      ? kinds.map((kind): Target => {
          const runs = selected.filter(kind.isValid);
          return { kind, runs, count: { total: runs.length, totalCapped: false } };
        })
      : kinds.map((kind): Target => {
          const count = counts.data?.[kind.action] ?? { total: 0, totalCapped: false };
          return { kind, filter: filters[kind.action], count };
        });
  return targets.filter((target) => target.count.total > 0);
}
