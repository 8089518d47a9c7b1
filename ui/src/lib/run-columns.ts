/** The columns of a table of runs, those shown at first, and how a person's choice of them is kept as text. */

import type { Sort } from "./run-filter";

export interface Column {
  id: string;
  title: string;
  isRight?: boolean;
  /** The time that the table is sorted by in this column. */
  sort?: "scheduled_time" | "start_time" | "end_time";
}

export const COLUMNS = [
  { id: "state", title: "State" },
  { id: "project", title: "Project" },
  { id: "flow", title: "Flow" },
  { id: "run", title: "Run" },
  { id: "why", title: "Why / progress" },
  { id: "due", title: "Due", sort: "scheduled_time" },
  { id: "started", title: "Started", sort: "start_time" },
  { id: "ended", title: "Ended", sort: "end_time" },
  { id: "duration", title: "Duration", isRight: true },
  { id: "tasks", title: "Tasks", isRight: true },
  { id: "attempt", title: "Attempt", isRight: true },
  { id: "version", title: "Version", isRight: true },
  { id: "labels", title: "Labels" },
  { id: "agent", title: "Agent" },
  { id: "by", title: "By" },
] as const satisfies readonly Column[];
export type ColumnId = (typeof COLUMNS)[number]["id"];

/** Without these a row could not be told from the others. */
export const FIXED: readonly ColumnId[] = ["state", "run"];
export const USUAL: readonly ColumnId[] = ["state", "flow", "run", "why", "started", "duration", "agent", "by"];
/** On a flow's own page. */
export const OF_FLOW: readonly ColumnId[] = ["state", "run", "why", "started", "duration"];

export const DENSITIES = { compact: 26, normal: 32, comfortable: 40 } as const;
export type Density = keyof typeof DENSITIES;

export function columnOf(id: ColumnId): Column {
  return COLUMNS.find((column) => column.id === id) as Column;
}

/** The chosen columns in their order. What a later or earlier release has written is left out. */
export function parseColumns(text: string | null): readonly ColumnId[] {
  if (text === null) return USUAL;
  const chosen = new Set([...FIXED, ...text.split(",")]);
  return COLUMNS.map(({ id }) => id).filter((id) => chosen.has(id));
}

export function printColumns(columns: Iterable<string>): string {
  return [...columns].join(",");
}

export function parseDensity(text: string | null): Density {
  return text === "compact" || text === "comfortable" ? text : "normal";
}

/** The order after a click on a column's title: newest first, oldest first, and then the usual one. */
export function nextSort(column: Column, sort: Sort): Sort | null {
  if (!column.sort) return null;
  if (sort === `-${column.sort}`) return column.sort;
  return sort === column.sort ? "-scheduled_time" : `-${column.sort}`;
}

export function ariaSort(column: Column, sort: Sort | undefined): "ascending" | "descending" | undefined {
  if (!column.sort || !sort) return undefined;
  if (sort === column.sort) return "ascending";
  return sort === `-${column.sort}` ? "descending" : undefined;
}
