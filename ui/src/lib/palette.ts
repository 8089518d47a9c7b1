/** What somebody typed into the command palette means. */

export type Scope = "all" | "commands" | "ids" | "people" | "docs";

const PREFIXES: Record<string, Scope> = { ">": "commands", "#": "ids", "@": "people", "?": "docs" };
const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;
const RUN = /^run\s+(?=\S)/i;

export interface Search {
  scope: Scope;
  words: string;
  /** Of a run, flow or agent, as it is in the text or in a pasted address; empty if there is none. */
  id: string;
  /** The words without a leading "run", which asks for flows to run. */
  names: string;
}

export function readSearch(text: string): Search {
  const scope = PREFIXES[text.trimStart()[0] ?? ""] ?? "all";
  const words = (scope === "all" ? text : text.trimStart().slice(1)).trim();
  return { scope, words, id: ID.exec(words)?.[0].toLowerCase() ?? "", names: words.replace(RUN, "") };
}

/** What an address that leads nowhere was probably meant to name: the ID in it, or its last part in words. */
export function wordsOf(path: string): string {
  const id = ID.exec(path)?.[0];
  if (id) return id.toLowerCase();
  const last = path.split("/").findLast((part) => part !== "") ?? "";
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/** An object that was opened: its address within the app, and what it is called. */
export interface Recent {
  path: string;
  label: string;
}

export const MOST_RECENT = 10;

/** The list with this one first, and once. */
export function withRecent(list: readonly Recent[], opened: Recent): Recent[] {
  return [opened, ...list.filter(({ path }) => path !== opened.path)].slice(0, MOST_RECENT);
}

/** What a browser has stored; what is not a list of recent objects is left out. */
export function readRecent(stored: unknown): Recent[] {
  if (!Array.isArray(stored)) return [];
  return stored.flatMap((item) =>
    typeof item?.path === "string" &&
    /^\/(?:runs|flows|agents)\/[^/?#]+$/.test(item.path) &&
    typeof item.label === "string"
      ? [{ path: item.path, label: item.label }]
      : [],
  );
}

/** A part of the documentation, as its search index has it. */
export interface DocsPart {
  location: string;
  title: string;
  text: string;
}
