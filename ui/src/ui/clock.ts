/** One ticking "now" for all elapsed times on the page; stopped while the tab is hidden. */

import { useSyncExternalStore } from "react";

let now = Date.now();
const watchers = new Set<() => void>();
let timer = 0;

function tick(): void {
  if (document.hidden) return;
  now = Date.now();
  for (const watcher of watchers) watcher();
}

function subscribe(watcher: () => void): () => void {
  watchers.add(watcher);
  if (watchers.size === 1) {
    tick();
    timer = window.setInterval(tick, 1000);
  }
  return () => {
    watchers.delete(watcher);
    if (watchers.size === 0) window.clearInterval(timer);
  };
}

export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}
