/** What a browser has and jsdom lacks, and a clean page after each test. */

import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

// Whether something is hidden by a style sheet can't be seen here, and looking for it is most of a query's time.
// The time to wait is for a machine that is busy with other things; what comes, comes at once.
configure({ defaultHidden: true, asyncUtilTimeout: 10_000 });

class StillObserver implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

globalThis.ResizeObserver = StillObserver;
globalThis.CSS = { escape: (text: string) => text.replace(/[^\w-]/g, "\\$&") } as typeof CSS;
/** Nothing has a size there: boxes have room for ten rows, so that lists know which rows are in sight. */
for (const [size, pixels] of Object.entries({
  offsetWidth: 900,
  clientWidth: 900,
  offsetHeight: 240,
  clientHeight: 240,
}))
  Object.defineProperty(HTMLElement.prototype, size, { configurable: true, get: () => pixels });
window.scrollTo = () => {};
Element.prototype.scrollIntoView = () => {};

afterEach(() => {
  cleanup();
  localStorage.clear();
});

// One page alone: it gets every lock at once.
Object.defineProperty(navigator, "locks", {
  value: { request: (_name: string, work: () => unknown) => Promise.resolve(work()) },
  configurable: true,
});
