/** How the log is looked at: the width of its rows, the place that is kept, the news, the text that is looked for. */

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

/** Brings the wished line into view once it is loaded. */
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

/** Lines that load above must not move what is being read. */
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

/** Another width makes other rows: the line at the top stays there, and the marked one stays marked. */
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

/** How many records came since the end was last followed. */
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

/** The text that is looked for: at once in the log, a moment after the last key in the address. */
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

/** How many characters a wrapped row holds: from the width of the box and the advance of the one-width letters. */
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
    // Storage may be forbidden; then lines are not wrapped at first.
    return false;
  }
}

export function keepWraps(on: boolean): void {
  try {
    localStorage.setItem(WRAPS_KEPT_AS, on ? "yes" : "no");
  } catch {
    // The same: only the memory is lost.
  }
}
