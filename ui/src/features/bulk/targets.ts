/** The actions on the selected runs, each with the runs it applies to. */

import { useQuery } from "@tanstack/react-query";
import { type Count, countsQuery, type RunRow } from "../../api/flow-runs";
import { BULK, type BulkAction, type BulkFilter, type BulkKind, filterFor } from "../../lib/bulk";
import type { RunFilter } from "../../lib/run-filter";
import type { Selection } from "../../lib/selection";
import { useMay } from "../session/permissions";

/** The runs that an action applies to: by id, or all that match a filter. */
export interface Target {
  kind: BulkKind;
  count: Count;
  runs?: readonly Pick<RunRow, "id" | "name" | "flow">[];
  filter?: BulkFilter;
}

export function useTargets(selection: Selection, selected: readonly RunRow[], list: RunFilter): Target[] {
  const may = useMay();
  const kinds = may("runs:bulk") ? BULK.filter((kind) => may(kind.permission)) : [];
  const filters: Partial<Record<BulkAction, BulkFilter>> = {};
  if (selection.allSince !== null) {
    for (const kind of kinds) filters[kind.action] = filterFor(kind, list, selection.allSince);
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
