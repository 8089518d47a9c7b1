import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FakeEventSource, fakeEventSource } from "../test/event-source";
import { type FakeServer, fakeServer } from "../test/server";
import { type Change, live, useChanges, useConnection } from "./live";

const CHANGE: Change = { topic: "flow_run", id: "1", kind: "flow_run.state" };
let sources: typeof FakeEventSource;
let server: FakeServer;
let heard: (Change | null)[];
let silence: () => void;

const light = () => live.snapshot().light;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** A stream that opened and proved that it works. */
function connect(): void {
  sources.latest.open();
  sources.latest.send("heartbeat");
  heard = [];
}

/** Breaks streams until polling begins: after three losses in a row. */
async function breakThrice(): Promise<void> {
  sources.latest.fail();
  await pass(1_000);
  sources.latest.fail();
  await pass(2_000);
  sources.latest.fail();
}

beforeEach(() => {
  vi.useFakeTimers();
  sources = fakeEventSource();
  server = fakeServer();
  heard = [];
  silence = live.listen((change) => heard.push(change));
  live.start();
});

afterEach(() => {
  if (light() === "paused") live.togglePause();
  silence();
  // The next test begins with a connection that works and has no failures behind it.
  sources.latest.open();
  sources.latest.send("heartbeat");
  live.stop();
  vi.useRealTimers();
});

describe("the stream", () => {
  it("is one, also when it is started again", () => {
    live.start();
    expect(sources.opened.map((source) => source.url)).toEqual(["/api/v1/events?rows=true"]);
  });

  it("that opens again goes on after the last event it told of", () => {
    connect();
    sources.latest.tell([CHANGE], [], "7");
    sources.latest.fail();
    heard = [];
    live.retryNow();
    expect(sources.latest.url).toBe("/api/v1/events?rows=true&after=7");
    sources.latest.open();
    expect(light()).toBe("live");
    expect(heard).toEqual([]);
  });

  it("has everything on screen refetched when the server can't tell all that was missed", () => {
    connect();
    sources.latest.send("gap", {}, "9");
    expect(heard).toEqual([null]);
    live.retryNow();
    expect(sources.latest.url).toContain("&after=9");
  });

  it("passes changes on", () => {
    connect();
    sources.latest.tell([CHANGE]);
    expect(heard).toEqual([CHANGE]);
  });

  it("closes what it opened", () => {
    connect();
    const source = sources.latest;
    live.stop();
    expect(source.isClosed).toBe(true);
    live.start();
  });

  it("goes on where another tab has ended", () => {
    connect();
    sources.latest.send("heartbeat", null, "4");
    live.stop();
    live.start();
    expect(sources.latest.url).toContain("&after=4");
  });

  it("brings the rows of the runs that have changed", () => {
    connect();
    sources.latest.tell([CHANGE], [{ id: "1", name: "calm-otter" }]);
    expect(heard).toEqual([{ ...CHANGE, run: { id: "1", name: "calm-otter" } }]);
  });

  it("doesn't ask again at every heartbeat", () => {
    connect();
    for (let count = 0; count < 5; count += 1) sources.latest.send("heartbeat");
    expect(heard).toEqual([]);
  });

  it("remembers when the server was last heard", async () => {
    connect();
    await pass(15_000);
    sources.latest.send("heartbeat");
    expect(live.snapshot().heard).toBe(Date.now());
  });
});

describe("a stream that breaks", () => {
  it("is opened again after one second, then two", async () => {
    connect();
    sources.latest.fail();
    expect(light()).toBe("reconnecting");
    await pass(999);
    expect(sources.opened).toHaveLength(1);
    await pass(1);
    expect(sources.opened).toHaveLength(2);
    sources.latest.fail();
    expect(live.snapshot().retryAt).toBe(Date.now() + 2_000);
    await pass(2_000);
    expect(sources.opened).toHaveLength(3);
  });

  it("is noticed by silence, 40 s after the last heartbeat", async () => {
    connect();
    await pass(39_999);
    expect(light()).toBe("live");
    await pass(1);
    expect(light()).toBe("reconnecting");
    expect(sources.latest.isClosed).toBe(true);
  });

  it("is given up when it doesn't open within ten seconds", async () => {
    await pass(9_999);
    expect(sources.latest.isClosed).toBe(false);
    await pass(1);
    expect(sources.opened[0]?.isClosed).toBe(true);
  });

  it("begins to count from one once it has proved that it works", async () => {
    connect();
    sources.latest.fail();
    await pass(1_000);
    connect();
    sources.latest.fail();
    expect(live.snapshot().retryAt).toBe(Date.now() + 1_000);
  });

  it("that only opens, and lets nothing through, doesn't count as proof", async () => {
    connect();
    sources.latest.fail();
    await pass(1_000);
    sources.latest.open();
    sources.latest.fail();
    expect(live.snapshot().retryAt).toBe(Date.now() + 2_000);
  });
});

describe("a server that can't be reached", () => {
  it("is offline after three losses", async () => {
    connect();
    await breakThrice();
    expect(light()).toBe("offline");
    expect(live.snapshot().retryAt).toBe(Date.now() + 4_000);
  });

  it("stays offline while it doesn't answer, asking every 8 s", async () => {
    connect();
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("away")));
    await breakThrice();
    await pass(4_000);
    expect(light()).toBe("offline");
    expect(live.snapshot().retryAt).toBe(Date.now() + 8_000);
  });

  it("is asked at once when a person says so", async () => {
    connect();
    await breakThrice();
    const count = sources.opened.length;
    live.retryNow();
    expect(sources.opened).toHaveLength(count + 1);
    sources.latest.open();
    expect(light()).toBe("live");
  });
});

describe("a stream that doesn't come through a proxy", () => {
  beforeEach(async () => {
    server.on("GET /api/v1/info", {});
    connect();
    await breakThrice();
    heard = [];
    await pass(4_000);
  });

  it("is replaced by asking: the page is live, and says how", () => {
    expect(live.snapshot()).toMatchObject({ light: "live", polling: true });
    expect(heard).toEqual([null]);
  });

  it("is asked every five seconds", async () => {
    // The first poll tries the stream too; when that fails, asking goes on.
    sources.latest.fail();
    const before = server.callsTo("GET /api/v1/info").length;
    await pass(25_000);
    expect(server.callsTo("GET /api/v1/info")).toHaveLength(before + 5);
    expect(heard.length).toBeGreaterThanOrEqual(5);
  });

  it("is tried again about once a minute", async () => {
    sources.latest.fail();
    const before = sources.opened.length;
    await pass(50_000);
    expect(sources.opened).toHaveLength(before);
    await pass(15_000);
    expect(sources.opened).toHaveLength(before + 1);
  });

  it("takes over again when it comes through", () => {
    sources.latest.open();
    sources.latest.send("heartbeat");
    expect(live.snapshot()).toMatchObject({ light: "live", polling: false });
  });
});

describe("a page that is paused", () => {
  it("hears nothing, and says so", () => {
    connect();
    live.togglePause();
    sources.latest.tell([CHANGE]);
    expect(light()).toBe("paused");
    expect(heard).toEqual([]);
  });

  it("asks for everything when it goes on", () => {
    connect();
    live.togglePause();
    live.togglePause();
    expect(light()).toBe("live");
    expect(heard).toEqual([null]);
  });
});

describe("what components see", () => {
  it("is the connection as it is now", () => {
    const { result } = renderHook(useConnection);
    act(connect);
    expect(result.current.light).toBe("live");
    act(() => sources.latest.fail());
    expect(result.current.light).toBe("reconnecting");
  });

  it("are changes in batches, so that a storm is one question", async () => {
    const callback = vi.fn();
    renderHook(() => useChanges(callback, 500));
    connect();
    callback.mockClear();
    await pass(500);
    callback.mockClear();
    for (const id of ["1", "2", "3"]) sources.latest.tell([{ ...CHANGE, id }]);
    await pass(499);
    expect(callback).not.toHaveBeenCalled();
    await pass(1);
    expect(callback).toHaveBeenCalledExactlyOnceWith(["1", "2", "3"].map((id) => ({ ...CHANGE, id })));
  });

  it("come no more to what has left the page", async () => {
    const callback = vi.fn();
    const { unmount } = renderHook(() => useChanges(callback, 500));
    sources.latest.tell([CHANGE]);
    unmount();
    await pass(1_000);
    expect(callback).not.toHaveBeenCalled();
  });
});
