/** The bars of a histogram of runs, and how a range of them is chosen. */

import { counted } from "./counted";

export interface Bucket {
  start: string;
  success: number;
  failed: number;
  running: number;
  cancelled: number;
  waiting: number;
}

interface Histogram {
  since: string;
  until: string;
  seconds: number;
  buckets: readonly Bucket[];
}

export interface Bar extends Bucket {
  end: string;
  total: number;
}

/** The families of states, from the bottom of a bar to its top, with their words. */
export const PARTS = [
  { part: "failed", family: "failed", word: "failed" },
  { part: "cancelled", family: "neutral", word: "cancelled" },
  { part: "running", family: "running", word: "running" },
  { part: "waiting", family: "waiting", word: "waiting" },
  { part: "success", family: "success", word: "ok" },
] as const;

/** All bars from the beginning to the end, those without runs included. */
export function barsOf({ since, until, seconds, buckets }: Histogram): Bar[] {
  const first = Date.parse(since);
  const width = seconds * 1000;
  const known = new Map(buckets.map((bucket) => [Date.parse(bucket.start), bucket]));
  return Array.from({ length: Math.round((Date.parse(until) - first) / width) }, (_, place) => {
    const at = first + place * width;
    const bucket = known.get(at);
    const numbers = { success: 0, failed: 0, running: 0, cancelled: 0, waiting: 0, ...bucket };
    const total = PARTS.reduce((sum, { part }) => sum + numbers[part], 0);
    return { ...numbers, start: new Date(at).toISOString(), end: new Date(at + width).toISOString(), total };
  });
}

/** The sum of several bars. */
export function sumOf(bars: readonly Bar[]): Bar {
  const first = bars[0] as Bar;
  const sum = { ...first, end: (bars.at(-1) as Bar).end };
  for (const bar of bars.slice(1)) {
    sum.total += bar.total;
    for (const { part } of PARTS) sum[part] += bar[part];
  }
  return sum;
}

/** `12 runs: 10 ok, 2 failed` */
export function sentenceOf(bar: Bar): string {
  const parts = PARTS.filter(({ part }) => bar[part] > 0).map(
    ({ part, word }) => `${bar[part].toLocaleString("en")} ${word}`,
  );
  return `${counted(bar.total, "run")}${parts.length > 0 ? `: ${parts.reverse().join(", ")}` : ""}`;
}

/** The first and the last bar of a range that goes from one bar to another, in either direction. */
export function rangeOf(from: number, to: number, bars: number): [first: number, last: number] {
  const inside = (place: number) => Math.min(Math.max(place, 0), bars - 1);
  return [inside(Math.min(from, to)), inside(Math.max(from, to))];
}
