/** Views of the runs that a user has saved, and their addresses. */

import { printColumns, USUAL } from "./run-columns";
import { printRunView, type RunView, SORTS, type Sort } from "./run-filter";

export interface SavedView {
  id: string;
  name: string;
  q: string;
  /** The order's name in GraphQL; null for the usual one. */
  sort: (typeof SORTS)[Sort] | null;
  columns: string[];
  default: boolean;
}

export interface RunSearch {
  q?: string;
  sort?: string;
  columns?: string;
  /** All runs, although another view is the default. */
  show?: string;
}

/** The query string of `/runs` that shows a saved view. */
export function searchOf({ q, sort, columns }: SavedView): RunSearch {
  const order = (Object.keys(SORTS) as Sort[]).find((name) => SORTS[name] === sort);
  return {
    ...(q ? { q } : { show: "all" }),
    ...(order ? printRunView({ q, sort: order }) : {}),
    ...(columns.length > 0 ? { columns: printColumns(columns) } : {}),
  };
}

/** The view that an address shows, if it is a saved one. */
export function shownView(views: readonly SavedView[], search: RunSearch): SavedView | undefined {
  const printed = (one: RunSearch) => [one.q ?? "", one.sort ?? "", one.columns ?? ""].join("\n");
  return views.find((view) => printed(searchOf(view)) === printed(search));
}

/** Whether an address of `/runs` leaves to the default what it shows. */
export function isPlain({ q, sort, columns, show }: RunSearch): boolean {
  return !q && !sort && !columns && !show;
}

/** What saving the present view under a name sends. The usual columns are not part of a view. */
export function contentOf(name: string, view: RunView, columns: readonly string[], isDefault: boolean | null) {
  return {
    name,
    q: view.q,
    sort: SORTS[view.sort],
    columns: printColumns(columns) === printColumns(USUAL) ? [] : [...columns],
    default: isDefault,
  };
}

/** The view that has this name, in any case and with any spaces. */
export function namedView(views: readonly SavedView[], name: string): SavedView | undefined {
  const folded = (text: string) => text.trim().replace(/\s+/g, " ").toLowerCase();
  return views.find((view) => folded(view.name) === folded(name));
}
