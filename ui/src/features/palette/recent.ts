/** The objects that somebody opened last, kept in this browser. */

import { useEffect } from "react";
import { nameHere } from "../../lib/base";
import { parseAnswer, printJson } from "../../lib/json";
import { type Recent, readRecent, withRecent } from "../../lib/palette";

const KEY = nameHere("recent");

export function recentObjects(): Recent[] {
  try {
    return readRecent(parseAnswer(localStorage.getItem(KEY) ?? "[]"));
  } catch {
    return []; // not written by this program
  }
}

/** Remembers the object that a page shows, once its name is known. */
export function useRecent(path: string, label: string | null | undefined): void {
  useEffect(() => {
    if (label) localStorage.setItem(KEY, printJson(withRecent(recentObjects(), { path, label })));
  }, [path, label]);
}
