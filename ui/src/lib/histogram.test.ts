import { expect, it } from "vitest";
import { barsOf, rangeOf, sentenceOf, sumOf } from "./histogram";

const bucket = (start: string, success: number, failed = 0) => ({
  start,
  success,
  failed,
  running: 0,
  cancelled: 0,
  waiting: 0,
});
const HISTOGRAM = {
  since: "2026-11-22T06:00:00Z",
  until: "2026-11-22T10:00:00Z",
  seconds: 3_600,
  buckets: [bucket("2026-11-22T07:00:00Z", 3, 1), bucket("2026-11-22T09:00:00Z", 1)],
};

it("has a bar for each stretch of time, also without runs", () => {
  const bars = barsOf(HISTOGRAM);
  expect(bars.map((bar) => bar.total)).toEqual([0, 4, 0, 1]);
  expect(bars[3]).toMatchObject({ start: "2026-11-22T09:00:00.000Z", end: "2026-11-22T10:00:00.000Z" });
});

it("says in words what bars have", () => {
  const bars = barsOf(HISTOGRAM);
  expect(bars.map(sentenceOf)).toEqual(["0 runs", "4 runs: 3 ok, 1 failed", "0 runs", "1 run: 1 ok"]);
  expect(sumOf(bars.slice(1))).toMatchObject({
    start: bars[1]?.start,
    end: bars[3]?.end,
    total: 5,
    success: 4,
    failed: 1,
  });
});

it("takes a range in either direction, and no further than the bars go", () => {
  expect([rangeOf(1, 3, 4), rangeOf(3, 1, 4), rangeOf(-2, 9, 4)]).toEqual([
    [1, 3],
    [1, 3],
    [0, 3],
  ]);
});
