/** How the log is displayed: the width of its rows, the scroll position, new lines, the search text. */

import { type RefObject, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { type LogLine, type LogRecord, sameRow } from "../../lib/log-model";

/** The height of a row in pixels, as in the style sheet. */
export const LINE = 18;
/** The level at which a line counts as an error. */
export const ERROR = 40;
const WRAPS_KEPT_AS = "appliance-log-wraps";
/** The columns before the text, in pixels as in the style sheet. */
const HEAD = 48 + 100 + 68;
const HEAD_WITH_TASK = HEAD + 116;
const PADDING = 12;
const FEWEST_COLUMNS = 20;
const TYPED_FOR = 300;

export type Box = RefObject<HTMLDivElement | null>;

/** Scrolls to the requested line once it is loaded. */
export function useGoal(
  goal: { id: number | "end"; turn: number } | null,
  lines: LogLine[],
  box: Box,
  mark: (line: number) => void,
  scrollTo: (line: number) => void,
): void {
  const done = useRef(0);
  useLayoutEffect(() => {
    if (!goal || goal.turn === done.current || lines.length === 0) return;
    done.current = goal.turn;
    if (goal.id === "end") {
      mark(-1);
      if (box.current) box.current.scrollTop = box.current.scrollHeight;
      return;
    }
    const line = lines.findIndex((one) => one.record.id >= (goal.id as number));
    const isGoal = line > 0 || (lines[0]?.record.level ?? 0) >= ERROR;
    mark(isGoal ? line : -1);
    scrollTo(line);
  }, [goal, lines, box, mark, scrollTo]);
}

/** Keeps the visible lines in place while lines load above them. */
export function useKeepPlace(lines: LogLine[], box: Box, current: number, mark: (line: number) => void): void {
  const first = useRef<number | null>(null);
  useLayoutEffect(() => {
    const before = first.current;
    first.current = lines[0]?.record.id ?? null;
    if (before === null || first.current === null || first.current >= before || !box.current) return;
    const added = lines.findIndex((line) => line.record.id === before);
    if (added <= 0) return;
    box.current.scrollTop += added * LINE;
    if (current >= 0) mark(current + added);
  }, [lines, box, current, mark]);
}

/** Another width means other rows: the top line stays at the top, and the current line stays current. */
export function useSameRows(
  lines: LogLine[],
  columns: number,
  box: Box,
  current: number,
  mark: (line: number) => void,
): void {
  const before = useRef({ lines, columns });
  useLayoutEffect(() => {
    const old = before.current;
    before.current = { lines, columns };
    const element = box.current;
    if (old.columns === columns || !element) return;
    const top = sameRow(old.lines[Math.floor(element.scrollTop / LINE)], lines);
    if (top >= 0) element.scrollTop = top * LINE;
    if (current >= 0) mark(sameRow(old.lines[current], lines));
  }, [lines, columns, box, current, mark]);
}

/** How many records have arrived since the end was last followed. */
export function useNews(records: readonly LogRecord[], isSeen: boolean): number {
  const seen = useRef<number | null>(null);
  const last = records.at(-1)?.id ?? null;
  if (isSeen || seen.current === null) seen.current = last;
  const from = seen.current;
  return useMemo(
    () => (isSeen || from === null ? 0 : records.length - 1 - records.findLastIndex((record) => record.id <= from)),
    [records, isSeen, from],
  );
}

/** The search text: immediately in the log, and a moment after the last key press in the URL. */
export function useFind(initial: string, keep: (text: string) => void): [string, (text: string) => void] {
  const [text, setText] = useState(initial);
  const latest = useRef({ keep, initial });
  latest.current = { keep, initial };
  useEffect(() => {
    if (text === latest.current.initial) return;
    const timer = window.setTimeout(() => latest.current.keep(text), TYPED_FOR);
    return () => window.clearTimeout(timer);
  }, [text]);
  return [text, setText];
}

/** How many characters fit in a wrapped row: the width of the box by the width of a monospaced character. */
export function useColumns(box: Box, wraps: boolean, withTask: boolean): number {
  const [columns, setColumns] = useState(Number.POSITIVE_INFINITY);
  useLayoutEffect(() => {
    const element = box.current;
    if (!wraps || !element) {
      setColumns(Number.POSITIVE_INFINITY);
      return;
    }
    const read = () => {
      const room = element.clientWidth - (withTask ? HEAD_WITH_TASK : HEAD) - PADDING;
      setColumns(Math.max(FEWEST_COLUMNS, Math.floor(room / advanceOf(element))));
    };
    read();
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => observer.disconnect();
  }, [box, wraps, withTask]);
  return columns;
}

function advanceOf(element: HTMLElement): number {
  const pen = document.createElement("canvas").getContext("2d");
  const { fontSize, fontFamily } = getComputedStyle(element);
  if (!pen) return Number.parseFloat(fontSize) * 0.6;
  pen.font = `${fontSize} ${fontFamily}`;
  return pen.measureText("0".repeat(100)).width / 100;
}

export function readWraps(): boolean {
  try {
    return localStorage.getItem(WRAPS_KEPT_AS) === "yes";
  } catch {
    // Storage may be blocked; lines then start unwrapped.
    return false;
  }
}

export function keepWraps(on: boolean): void {
  try {
    localStorage.setItem(WRAPS_KEPT_AS, on ? "yes" : "no");
  } catch {
    // Storage may be blocked; the choice is then not remembered.
  }
}
