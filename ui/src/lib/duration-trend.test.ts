import { describe, expect, it } from "vitest";
import { nearest, type TrendRun, trendOf } from "./duration-trend";

function run(seconds: number | null, version = 1): TrendRun {
  const at = "2026-03-01T12:00:00Z";
  return {
    id: `${seconds}`,
    name: "calm-otter",
    stateType: "SUCCESS",
    stateName: "Success",
    scheduledTime: at,
    startTime: at,
    seconds,
    version,
  };
}

describe("the trend of durations", () => {
  it("has the oldest run on the left, and equal ratios at equal distances", () => {
    const trend = trendOf([run(100, 2), run(10, 2), run(null), run(1)], 10, 100);
    const [first, second, third] = trend?.points ?? [];
    expect([first?.run.seconds, second?.run.seconds, third?.run.seconds]).toEqual([1, 10, 100]);
    expect((second?.y ?? 0) - (first?.y ?? 0)).toBeCloseTo((third?.y ?? 0) - (second?.y ?? 0));
    expect(first?.y).toBeGreaterThan(0);
    expect(third?.y).toBeLessThan(1);
    expect(trend?.band).toEqual({ from: second?.y, to: third?.y });
    expect(trend?.versions).toEqual([{ number: 2, x: 1 / 3 }]);
  });

  it("has few ticks, all within the chart", () => {
    for (const most of [0.004, 2, 90_000]) {
      const ticks = trendOf([run(0.001), run(most)], null, null)?.ticks ?? [];
      expect(ticks.length).toBeGreaterThan(0);
      expect(ticks.length).toBeLessThanOrEqual(4);
      expect(ticks.every(({ y }) => y >= 0 && y <= 1)).toBe(true);
    }
  });

  it("is nothing without a duration, and copes with equal ones and with none at all", () => {
    expect(trendOf([run(null)], null, null)).toBeNull();
    expect(trendOf([run(0), run(0)], 0, 0)?.points.map(({ y }) => y)).toEqual([0.5, 0.5]);
  });
});

it("finds the nearest run", () => {
  expect([-1, 0, 0.49, 0.51, 1, 2].map((x) => nearest(2, x))).toEqual([0, 0, 0, 1, 1, 1]);
});
