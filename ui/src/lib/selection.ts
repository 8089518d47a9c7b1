/** Which rows of a list are selected: some by their ids, or all that match, also those that are not loaded. */

export interface Selection {
  ids: ReadonlySet<string>;
  /** Where a range starts: the row that was changed last. */
  anchor: string | null;
  /** Set when all that match are meant: since when, as an ISO time. What comes later is not part of it. */
  allSince: string | null;
}

export const NOTHING: Selection = { ids: new Set(), anchor: null, allSince: null };

export function isSelected(selection: Selection, id: string): boolean {
  return selection.allSince !== null || selection.ids.has(id);
}

/** Changes one row, or with `range` all from the one that was changed last to this one, as that one is. */
export function toggled(selection: Selection, shown: readonly string[], id: string, range: boolean): Selection {
  // Leaving one out of "all that match" means: those that are in sight, without it.
  const ids = new Set(selection.allSince === null ? selection.ids : shown);
  const from = range && selection.anchor !== null ? shown.indexOf(selection.anchor) : -1;
  const to = shown.indexOf(id);
  if (from < 0 || to < 0) {
    if (!ids.delete(id)) ids.add(id);
  } else {
    const isAdding = ids.has(selection.anchor as string);
    for (const one of shown.slice(Math.min(from, to), Math.max(from, to) + 1)) {
      if (isAdding) ids.add(one);
      else ids.delete(one);
    }
  }
  return { ids, anchor: id, allSince: null };
}

/** The checkbox in the head: all that are loaded, or none. */
export function allToggled(selection: Selection, shown: readonly string[]): Selection {
  if (extentOf(selection, shown) !== "none") return NOTHING;
  return { ids: new Set(shown), anchor: null, allSince: null };
}

export function extentOf(selection: Selection, shown: readonly string[]): "none" | "some" | "all" {
  if (selection.allSince !== null) return "all";
  const count = shown.filter((id) => selection.ids.has(id)).length;
  if (count === 0) return "none";
  return count === shown.length ? "all" : "some";
}
