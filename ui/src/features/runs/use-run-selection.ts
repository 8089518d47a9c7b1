import { useMemo, useState } from "react";
import type { RunRow } from "../../api/flow-runs";
import { allToggled, extentOf, isSelected, NOTHING, toggled } from "../../lib/selection";
import { useMay } from "../session/permissions";
import type { Selecting } from "./runs-table";

/** The selected runs: `all` are the loaded runs, `visible` those in the table. */
export function useRunSelection(all: readonly RunRow[], visible: readonly RunRow[]) {
  const may = useMay();
  const [selection, setSelection] = useState(NOTHING);
  const ids = useMemo(() => visible.map((run) => run.id), [visible]);
  const selected = useMemo(() => all.filter((run) => selection.ids.has(run.id)), [all, selection]);
  const selecting: Selecting | undefined = may("runs:bulk")
    ? {
        extent: extentOf(selection, ids),
        isSelected: (id) => isSelected(selection, id),
        onToggle: (id, range) => setSelection(toggled(selection, ids, id, range)),
        onToggleAll: () => setSelection(allToggled(selection, ids)),
      }
    : undefined;
  return {
    selection,
    selected,
    selecting,
    isAny: selection.allSince !== null || selection.ids.size > 0,
    clear: () => setSelection(NOTHING),
    /** Selects all matches, loaded or not. */
    selectMatches: () => setSelection({ ...NOTHING, allSince: new Date().toISOString() }),
  };
}
