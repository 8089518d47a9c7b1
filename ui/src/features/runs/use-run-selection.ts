import { useMemo, useState } from "react";
import type { RunRow } from "../../api/flow-runs";
import { allToggled, extentOf, isSelected, NOTHING, toggled } from "../../lib/selection";
import { useMay } from "../session/permissions";
import type { Selecting } from "./runs-table";

/** Which runs are selected: `all` those that are loaded, `visible` those that the table has. */
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
    /** All that match, loaded or not. */
    selectMatches: () => setSelection({ ...NOTHING, allSince: new Date().toISOString() }),
  };
}
