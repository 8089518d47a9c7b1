import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { byMessages } from "./leadership";

/** Channels of one browser: what one says the others hear, unless they are frozen. */
class FakeChannel {
  static all: FakeChannel[] = [];
  onmessage: ((event: MessageEvent) => void) | null = null;
  isFrozen = false;

  constructor(readonly name: string) {
    FakeChannel.all.push(this);
  }

  postMessage(data: unknown): void {
    for (const one of FakeChannel.all) {
      if (one !== this && one.name === this.name && !one.isFrozen && !this.isFrozen)
        one.onmessage?.({ data } as MessageEvent);
    }
  }

  close(): void {
    FakeChannel.all = FakeChannel.all.filter((one) => one !== this);
  }
}

interface Tab {
  leads: boolean;
  stop: () => void;
  channel: FakeChannel;
}

let tabs: Tab[];
const leaders = () => tabs.filter((tab) => tab.leads).length;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function open(): Tab {
  const tab: Tab = { leads: false, stop: () => {}, channel: undefined as unknown as FakeChannel };
  tab.stop = byMessages("site", {
    lead: () => {
      tab.leads = true;
    },
    follow: () => {
      tab.leads = false;
    },
  });
  tab.channel = FakeChannel.all.at(-1) as FakeChannel;
  tabs.push(tab);
  return tab;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("BroadcastChannel", FakeChannel);
  FakeChannel.all = [];
  tabs = [];
});

afterEach(() => {
  for (const tab of tabs) tab.stop();
  vi.useRealTimers();
});

describe("tabs without locks", () => {
  it("have one leader, however many open at one moment", async () => {
    for (let count = 0; count < 50; count += 1) open();
    await pass(1_000);
    expect(leaders()).toBe(1);
    await pass(60_000);
    expect(leaders()).toBe(1);
  });

  it("keep their leader when others come", async () => {
    const first = open();
    await pass(1_000);
    for (let count = 0; count < 8; count += 1) {
      open();
      await pass(1_000);
      expect(first.leads).toBe(true);
      expect(leaders()).toBe(1);
    }
  });

  it("have another at once when the leader is closed", async () => {
    const first = open();
    await pass(1_000);
    open();
    open();
    await pass(1_000);
    first.stop();
    await pass(1_000);
    expect(first.leads).toBe(false);
    expect(leaders()).toBe(1);
  });

  it("have another within ten seconds when the leader was killed or put to sleep", async () => {
    const first = open();
    await pass(1_000);
    const second = open();
    await pass(1_000);
    first.channel.isFrozen = true;
    await pass(10_000);
    expect(second.leads).toBe(true);
  });

  it("have one again when the sleeping leader wakes", async () => {
    const first = open();
    await pass(1_000);
    open();
    await pass(1_000);
    first.channel.isFrozen = true;
    await pass(10_000);
    first.channel.isFrozen = false;
    await pass(10_000);
    expect(leaders()).toBe(1);
  });

  it("take no part once they are left, and again when they are returned to", async () => {
    const only = open();
    await pass(1_000);
    window.dispatchEvent(new Event("pagehide"));
    expect(only.leads).toBe(false);
    window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    await pass(1_000);
    expect(only.leads).toBe(true);
  });
});
