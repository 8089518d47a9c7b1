/** A window into a run's log: opens anywhere, grows at both ends, follows the end while the run is active. */

import { useCallback, useEffect, useRef, useState } from "react";
import { type Change, useChanges } from "../../api/live";
import { type LogFilter, type LogPage, logsPage, PAGE } from "../../api/logs";
import { cursorOf, type LogRecord, merge } from "../../lib/log-model";

const END = Number.MAX_SAFE_INTEGER;
const EVERY = 400;

/** Where to open: at the start, at the end, or around a line. */
export type Place = "start" | "end" | number;

export interface LogWindow {
  records: LogRecord[];
  hasOlder: boolean;
  hasNewer: boolean;
  /** A line to bring into view; `turn` is incremented with each request. */
  goal: { id: number | "end"; turn: number } | null;
  error: Error | null;
  isPending: boolean;
}

const NOTHING: LogWindow = { records: [], hasOlder: false, hasNewer: false, goal: null, error: null, isPending: true };

export function useLogs(flowRunId: string, filter: LogFilter, place: Place, isLive: boolean) {
  const [view, setView] = useState<LogWindow>(NOTHING);
  const latest = useRef(view);
  latest.current = view;
  const generation = useRef(0);
  const busy = useRef({ older: false, newer: false });

  const open = useCallback(
    async (at: Place) => {
      generation.current += 1;
      const mine = generation.current;
      busy.current = { older: false, newer: false };
      try {
        const page = await pageAt(flowRunId, filter, at);
        if (mine !== generation.current) return;
        const turn = (latest.current.goal?.turn ?? 0) + 1;
        const id = at === "start" ? page.items[0]?.id : at === "end" ? "end" : at;
        setView({
          records: page.items,
          hasOlder: page.previous !== null,
          hasNewer: page.isMore,
          goal: id === undefined ? null : { id, turn },
          error: null,
          isPending: false,
        });
      } catch (error) {
        if (mine === generation.current) setView({ ...NOTHING, isPending: false, error: error as Error });
      }
    },
    [flowRunId, filter],
  );

  const grow = useCallback(
    async (end: "older" | "newer") => {
      const { records } = latest.current;
      if (busy.current[end]) return;
      busy.current[end] = true;
      const mine = generation.current;
      try {
        const edge = end === "older" ? records[0] : records.at(-1);
        const from = edge ? { [end === "older" ? "before" : "after"]: cursorOf(edge.id) } : {};
        const page = await logsPage(flowRunId, filter, from);
        if (mine !== generation.current) return;
        setView((now) => ({
          ...now,
          records: merge(now.records, page.items),
          hasOlder: end === "older" ? page.previous !== null && page.items.length > 0 : now.hasOlder,
          hasNewer: end === "newer" ? page.items.length === PAGE : now.hasNewer,
        }));
      } catch {
        // The next scroll or change retries; the strip says when the server can't be reached.
      } finally {
        if (mine === generation.current) busy.current[end] = false;
      }
    },
    [flowRunId, filter],
  );

  const placeRef = useRef(place);
  useEffect(() => {
    setView(NOTHING);
    void open(placeRef.current);
  }, [open]);

  const onChanges = useCallback(
    (changes: (Change | null)[]) => {
      if (!isLive || latest.current.isPending || latest.current.hasNewer) return;
      if (changes.some((change) => change === null || (change.id === flowRunId && mayHaveLines(change))))
        void grow("newer");
    },
    [isLive, flowRunId, grow],
  );
  useChanges(onChanges, EVERY);
  useEffect(() => {
    // The last lines may arrive with the event that ends the run.
    if (!isLive && !latest.current.isPending) void grow("newer");
  }, [isLive, grow]);

  return { view, open, grow };
}

/** Progress tells how many lines came with it; a new state may come with some. */
function mayHaveLines({ kind, lines }: Change): boolean {
  return kind !== "flow_run.progress" || Boolean(lines);
}

/** More may follow a full page; a short page is the end of the log. */
async function pageAt(flowRunId: string, filter: LogFilter, at: Place): Promise<LogPage & { isMore: boolean }> {
  if (at === "start") {
    const page = await logsPage(flowRunId, filter, {});
    return { ...page, isMore: page.items.length === PAGE };
  }
  if (at === "end") return { ...(await logsPage(flowRunId, filter, { before: cursorOf(END) })), isMore: false };
  const [upTo, after] = await Promise.all([
    logsPage(flowRunId, filter, { before: cursorOf(at + 1) }),
    logsPage(flowRunId, filter, { after: cursorOf(at) }),
  ]);
  const items = [...upTo.items, ...after.items];
  return { items, previous: upTo.previous, next: after.next, isMore: after.items.length === PAGE };
}
