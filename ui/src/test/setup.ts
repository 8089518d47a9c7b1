/** What a browser has and jsdom lacks, and a clean page after each test. */

import { cleanup } from "@testing-library/react";
import { afterEach } from "vitest";

class StillObserver implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

globalThis.ResizeObserver = StillObserver;
globalThis.CSS = { escape: (text: string) => text.replace(/[^\w-]/g, "\\$&") } as typeof CSS;
window.scrollTo = () => {};
Element.prototype.scrollIntoView = () => {};

afterEach(() => {
  cleanup();
  localStorage.clear();
});
