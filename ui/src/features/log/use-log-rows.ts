/** The rows of a log with the reading position: the current line, and whether the end is followed. */

import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { LogFilter } from "../../api/logs";
import { toLines } from "../../lib/log-model";
import { LINE, useColumns, useGoal, useKeepPlace, useNews, useSameRows } from "./log-view";
import { type Place, useLogs } from "./use-logs";

/** How near to an end of the loaded lines more are fetched. */
const NEAR = 60 * LINE;

interface Source {
  flowRunId: string;
  filter: LogFilter;
  place: Place;
  isLive: boolean;
  wraps: boolean;
  withTask: boolean;
  /** A line to open, requested from outside. */
  request: { id: number; turn: number } | null;
}

export type LogRows = ReturnType<typeof useLogRows>;

export function useLogRows({ flowRunId, filter, place, isLive, wraps, withTask, request }: Source) {
  const [current, setCurrent] = useState(-1);
  const [following, setFollowing] = useState(isLive && place === "end");
  const box = useRef<HTMLDivElement>(null);
  const { view, open, grow } = useLogs(flowRunId, filter, place, isLive);
  const columns = useColumns(box, wraps, withTask);
  const lines = useMemo(() => toLines(view.records, columns), [view.records, columns]);
  const scrollTo = useCallback((line: number) => {
    const element = box.current;
    if (element) element.scrollTop = Math.max(0, line * LINE - element.clientHeight / 3);
  }, []);
  const show = useCallback(
    (line: number) => {
      setFollowing(false);
      setCurrent(line);
      scrollTo(line);
    },
    [scrollTo],
  );
  useGoal(view.goal, lines, box, setCurrent, scrollTo);
  useKeepPlace(lines, box, current, setCurrent);
  useSameRows(lines, columns, box, current, setCurrent);
  const news = useNews(view.records, following || !isLive);
  useLayoutEffect(() => {
    if (following && lines.length > 0 && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [following, lines]);
  useEffect(() => {
    if (request) void open(request.id);
  }, [request, open]);
  const onScroll = () => {
    const element = box.current;
    if (!element) return;
    const toEnd = element.scrollHeight - element.scrollTop - element.clientHeight;
    if (element.scrollTop < NEAR && view.hasOlder) void grow("older");
    if (toEnd < NEAR && view.hasNewer) void grow("newer");
    if (toEnd > 2 * LINE) setFollowing((was) => was && toEnd < LINE * 2);
  };
  return { box, view, open, lines, current, setCurrent, following, setFollowing, show, news, onScroll };
}
