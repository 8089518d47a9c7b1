/** A component's shortcuts while it is mounted; the sheet under `?` lists them. */

import { useEffect, useRef } from "react";
import { keyName, type Shortcut, ShortcutMatcher } from "../lib/shortcuts";

interface Scope {
  name: string;
  shortcuts: () => readonly Shortcut[];
}

const scopes = new Set<Scope>();
const matcher = new ShortcutMatcher();

window.addEventListener("keydown", (event) => {
  const name = keyName(event);
  if (!name) return;
  const shortcuts = [...scopes].reverse().flatMap((scope) => scope.shortcuts());
  const shortcut = matcher.match(name, shortcuts, event.timeStamp);
  if (!shortcut) return;
  if (name === "Enter" && event.target instanceof HTMLElement && event.target.closest("a,button,summary")) return;
  event.preventDefault();
  shortcut.run();
});

export function useShortcuts(name: string, shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts);
  latest.current = shortcuts;
  useEffect(() => {
    const scope: Scope = { name, shortcuts: () => latest.current };
    scopes.add(scope);
    return () => {
      scopes.delete(scope);
    };
  }, [name]);
}

export function shownShortcuts(): { name: string; shortcuts: readonly Shortcut[] }[] {
  return [...scopes].map((scope) => ({ name: scope.name, shortcuts: scope.shortcuts() }));
}
