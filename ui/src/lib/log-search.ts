/** The search in the log lines of all runs and its URL: `/logs?q=refused&level=error&flow=finance/etl`. */

import { LEVELS } from "./log-levels";
import { text } from "./paths";

/** As the server limits it. */
export const LONGEST_SEARCH = 200;

export interface LogSearchView {
  /** A space at its end says that the last word is whole. */
  q: string;
  level: (typeof LEVELS)[number]["name"];
  /** A name, or project/flow. */
  flow: string;
}

/** Parses the URL. Unknown values fall back to the default, so an old link never breaks the page. */
export function parseLogSearch(search: Record<string, unknown>): LogSearchView {
  return {
    q: (text(search.q) ?? "").slice(0, LONGEST_SEARCH),
    level: LEVELS.find((level) => level.name !== undefined && level.name === search.level)?.name,
    flow: (text(search.flow) ?? "").slice(0, LONGEST_SEARCH).trim(),
  };
}

/** Writes the URL: only what differs from the default. */
export function printLogSearch(view: LogSearchView): { q?: string; level?: string; flow?: string } {
  return { q: view.q.trim() ? view.q : undefined, level: view.level, flow: view.flow.trim() || undefined };
}

/** The API's filter. */
export function toLogFilter({ level, flow }: LogSearchView): { minLevel?: number; flow?: string } {
  const lowest = LEVELS.find((one) => one.name === level)?.value;
  return { ...(lowest && { minLevel: lowest }), ...(flow && { flow }) };
}

export function hasWord(q: string): boolean {
  return /[\p{L}\p{N}]/u.test(q);
}

/** A message as one line, cut where it is long; its parts in which a word of the search begins are marked. */
export function markedParts(message: string, q: string): { text: string; isMarked: boolean }[] {
  const words = q.match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
  if (words.length === 0) return [{ text: message, isMarked: false }];
  const escaped = [...new Set(words)].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}\\p{M}])(${escaped.join("|")})`, "giu");
  return message
    .split(pattern)
    .map((part, index) => ({ text: part, isMarked: index % 2 === 1 }))
    .filter((part) => part.text);
}
