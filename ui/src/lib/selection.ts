/** The selected rows of a list: some by id, or all matches, including those not loaded. */

export interface Selection {
  ids: ReadonlySet<string>;
  /** Where a range starts: the last changed row. */
  anchor: string | null;
  /** Set when all matches are selected: the ISO time when they were. Later ones are not included. */
  allSince: string | null;
}

export const NOTHING: Selection = { ids: new Set(), anchor: null, allSince: null };

export function isSelected(selection: Selection, id: string): boolean {
  return selection.allSince !== null || selection.ids.has(id);
}

/** Changes one row, or with `range` all from the last changed row to this one, to that row's state. */
export function toggled(selection: Selection, visible: readonly string[], id: string, range: boolean): Selection {
  // Deselecting one of all matches leaves the loaded rows without it.
  const ids = new Set(selection.allSince === null ? selection.ids : visible);
  const from = range && selection.anchor !== null ? visible.indexOf(selection.anchor) : -1;
  const to = visible.indexOf(id);
  if (from < 0 || to < 0) {
    if (!ids.delete(id)) ids.add(id);
  } else {
    const isAdding = ids.has(selection.anchor as string);
    for (const one of visible.slice(Math.min(from, to), Math.max(from, to) + 1)) {
      if (isAdding) ids.add(one);
      else ids.delete(one);
    }
  }
  return { ids, anchor: id, allSince: null };
}

/** The checkbox in the header: all loaded rows, or none. */
export function allToggled(selection: Selection, visible: readonly string[]): Selection {
  if (extentOf(selection, visible) !== "none") return NOTHING;
  return { ids: new Set(visible), anchor: null, allSince: null };
}

export function extentOf(selection: Selection, visible: readonly string[]): "none" | "some" | "all" {
  if (selection.allSince !== null) return "all";
  const count = visible.filter((id) => selection.ids.has(id)).length;
  if (count === 0) return "none";
  return count === visible.length ? "all" : "some";
}
