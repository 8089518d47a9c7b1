/** An event stream that tests open, feed and break. */

import { vi } from "vitest";

export class FakeEventSource extends EventTarget {
  static readonly opened: FakeEventSource[] = [];
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  isClosed = false;

  constructor(readonly url: string) {
    super();
    FakeEventSource.opened.push(this);
  }

  static get latest(): FakeEventSource {
    const source = FakeEventSource.opened.at(-1);
    if (!source) throw new Error("No event stream was opened.");
    return source;
  }

  open(): void {
    if (!this.isClosed) this.onopen?.();
  }

  fail(): void {
    if (!this.isClosed) this.onerror?.();
  }

  send(type: "heartbeat" | "gap" | "news", data: unknown = null, lastEventId = ""): void {
    if (!this.isClosed) this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data), lastEventId }));
  }

  /** A message that these have changed. */
  tell(changes: unknown[], runs: unknown[] = [], lastEventId = "1"): void {
    this.send("news", { changes, runs }, lastEventId);
  }

  close(): void {
    this.isClosed = true;
  }
}

/** Puts the fake in the place of the browser's `EventSource`. */
export function fakeEventSource(): typeof FakeEventSource {
  FakeEventSource.opened.length = 0;
  vi.stubGlobal("EventSource", FakeEventSource);
  return FakeEventSource;
}
