/** One event stream per browser: the leading tab reads it, the others listen on a channel. Browsers open six connections
 * to a host at most, so more streams would stop every page. Falls back to polling every 5 s. */

import { useEffect, useSyncExternalStore } from "react";
import { addressOf, nameHere } from "../lib/base";
import type { RunRow } from "./flow-runs";
import { request } from "./http";
import { takePart } from "./leadership";

export interface Change {
  topic: string;
  id: string;
  kind: string;
  /** How many log lines a run has written. */
  lines?: number;
  /** The run as lists show it now, unless it is gone. Too many runs at a time come without. */
  run?: RunRow;
}

interface News {
  changes: Change[];
  runs: RunRow[];
}

export type Light = "live" | "paused" | "reconnecting" | "offline";

export interface Connection {
  light: Light;
  /** When the last message from the server arrived, by this machine's clock. */
  heard: number;
  /** When the next attempt is due; only while offline. */
  retryAt: number;
  polling: boolean;
  /** No message yet: the page has just opened. */
  fresh?: boolean;
}

type Message =
  | { type: "news"; changes: Change[]; last: string }
  | { type: "connection"; connection: Connection }
  | { type: "gap" }
  | { type: "retry" }
  | { type: "hello" };

const CHANNEL = nameHere("appliance-live");
const OPEN_WITHIN = 10_000;
const HEARTBEAT_LOST = 40_000;
const TRY_STREAM_EVERY = 12;
const OFFLINE_AFTER = 3;
const POLL_EVERY = 5_000;
const BACKOFF = [1_000, 2_000, 4_000, 8_000, 8_000];

class LiveConnection {
  private connection: Connection = {
    light: "reconnecting",
    heard: Date.now(),
    retryAt: 0,
    polling: false,
    fresh: true,
  };
  private paused = false;
  private readonly watchers = new Set<() => void>();
  private readonly listeners = new Set<(change: Change | null) => void>();
  private readonly channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(CHANNEL);
  private source: EventSource | null = null;
  private timer = 0;
  private failures = 0;
  private polls = 0;
  private seen: Connection = this.connection;
  private leader = false;
  /** The stream has just been opened and can't go on where another one ended, so what changed before may have been missed. */
  private opening = false;
  /** The id of the last event that the browser has heard of. */
  private last = "";
  private leave: () => void = () => {};
  private started = false;

  start(): void {
    if (this.started) return;
    this.started = true;
    if (this.channel) this.channel.onmessage = (event: MessageEvent<Message>) => this.hear(event.data);
    this.channel?.postMessage({ type: "hello" } satisfies Message);
    this.leave = takePart(CHANNEL, { lead: () => this.lead(), follow: () => this.follow() });
  }

  stop(): void {
    this.started = false;
    this.follow();
    this.leave();
  }

  readonly subscribe = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  readonly snapshot = (): Connection => this.seen;

  /** `null`: changes may have been missed, so refetch. */
  listen(listener: (change: Change | null) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  togglePause(): void {
    this.paused = !this.paused;
    this.show();
    if (!this.paused) this.emit(null);
  }

  retryNow(): void {
    if (this.leader) this.open();
    else this.channel?.postMessage({ type: "retry" } satisfies Message);
  }

  private lead(): void {
    this.leader = true;
    this.open();
  }

  private follow(): void {
    this.leader = false;
    this.close();
  }

  private open(): void {
    this.close();
    const source = new EventSource(addressOf(`/api/v1/events?rows=true${this.last && `&after=${this.last}`}`));
    this.source = source;
    this.opening = this.last === "";
    source.onopen = () => this.heard(false);
    source.addEventListener("heartbeat", (event) => {
      if (event.lastEventId) this.tell([], event.lastEventId);
      this.heard(true);
    });
    source.addEventListener("news", (event) => {
      this.heard(true);
      const { changes, runs } = JSON.parse(event.data) as News;
      const rows = new Map(runs.map((run) => [run.id, run]));
      this.tell(
        changes.map((change) => ({ ...change, run: rows.get(change.id) })),
        event.lastEventId,
      );
    });
    source.addEventListener("gap", (event) => {
      this.tell([], event.lastEventId);
      this.gap();
    });
    source.onerror = () => this.lost();
    this.after(OPEN_WITHIN, () => this.lost());
  }

  /** A proxy may hold back an open stream; only a message through it proves that it works. */
  private heard(proven: boolean): void {
    const mayHaveMissed = this.opening;
    this.opening = false;
    if (proven) {
      this.failures = 0;
      this.polls = 0;
    }
    this.update({ light: "live", heard: Date.now(), retryAt: 0, polling: false });
    this.after(HEARTBEAT_LOST, () => this.lost());
    if (mayHaveMissed) this.gap();
  }

  private lost(): void {
    this.close();
    this.failures += 1;
    if (this.connection.polling) {
      this.after(POLL_EVERY, () => void this.poll());
      return;
    }
    const wait = BACKOFF[Math.min(this.failures, BACKOFF.length) - 1] as number;
    const offline = this.failures >= OFFLINE_AFTER;
    this.update({ ...this.connection, light: offline ? "offline" : "reconnecting", retryAt: Date.now() + wait });
    this.after(wait, () => (offline ? void this.poll() : this.open()));
  }

  /** The server responds but the stream doesn't get through, perhaps because of a proxy: poll, and retry the stream now
   * and then. */
  private async poll(): Promise<void> {
    try {
      await request("GET", "/api/v1/info");
    } catch {
      this.connection = { ...this.connection, polling: false };
      if (this.leader) this.lost();
      return;
    }
    if (!this.leader) return;
    this.polls += 1;
    this.update({ light: "live", heard: Date.now(), retryAt: 0, polling: true });
    this.gap();
    if (this.polls % TRY_STREAM_EVERY === 1) this.open();
    else this.after(POLL_EVERY, () => void this.poll());
  }

  private close(): void {
    window.clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  private after(wait: number, what: () => void): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(what, wait);
  }

  private tell(changes: Change[], last: string): void {
    this.last = last;
    this.channel?.postMessage({ type: "news", changes, last } satisfies Message);
    for (const change of changes) this.emit(change);
  }

  private gap(): void {
    this.channel?.postMessage({ type: "gap" } satisfies Message);
    this.emit(null);
  }

  private update(connection: Connection): void {
    this.connection = connection;
    this.channel?.postMessage({ type: "connection", connection } satisfies Message);
    this.show();
  }

  private hear(message: Message): void {
    if (message.type === "news") {
      this.last = message.last;
      for (const change of message.changes) this.emit(change);
    } else if (message.type === "gap") this.emit(null);
    else if (message.type === "connection" && !this.leader) {
      this.connection = message.connection;
      this.show();
    } else if (message.type === "retry" && this.leader) this.open();
    else if (message.type === "hello" && this.leader) this.update(this.connection);
  }

  private show(): void {
    this.seen = this.paused ? { ...this.connection, light: "paused" } : this.connection;
    for (const watcher of this.watchers) watcher();
  }

  private emit(change: Change | null): void {
    if (this.paused) return;
    for (const listener of this.listeners) listener(change);
  }
}

export const live = new LiveConnection();

export function useConnection(): Connection {
  return useSyncExternalStore(live.subscribe, live.snapshot);
}

/** Calls back with the changes since the last call, at most once per `every` ms; `null` means that anything may have
 * changed. */
export function useChanges(callback: (changes: (Change | null)[]) => void, every = 500): void {
  useEffect(() => {
    let waiting: (Change | null)[] = [];
    let timer = 0;
    const stop = live.listen((change) => {
      waiting.push(change);
      if (timer) return;
      timer = window.setTimeout(() => {
        timer = 0;
        const batch = waiting;
        waiting = [];
        callback(batch);
      }, every);
    });
    return () => {
      stop();
      window.clearTimeout(timer);
    };
  }, [callback, every]);
}
