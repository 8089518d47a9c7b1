import { describe, expect, it } from "vitest";
import { elapsed, formatDuration, formatFull, formatInstant, formatPreciseClock, formatRelative } from "./time";

const NOW = new Date("2026-11-22T20:00:00Z");

describe("durations", () => {
  it.each([
    [0, "0 ms"],
    [850, "850 ms"],
    [999.6, "1 s"],
    [4_200, "4.2 s"],
    [9_960, "10 s"],
    [38_000, "38 s"],
    [60_000, "1 min"],
    [250_000, "4 min 10 s"],
    [7_380_000, "2 h 03 min"],
    [273_600_000, "3 d 04 h"],
    [-5, "0 ms"],
  ])("%d ms is %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it("an unfinished span lasts until now, an unstarted one has no length", () => {
    expect(elapsed("2026-11-22T19:59:00Z", null, NOW.getTime())).toBe(60_000);
    expect(elapsed("2026-11-22T19:59:00Z", "2026-11-22T19:59:10Z", NOW.getTime())).toBe(10_000);
    expect(elapsed(null, null, NOW.getTime())).toBeNull();
  });
});

describe("instants", () => {
  it("today is a time, this year a day, before that a date", () => {
    expect(formatInstant(new Date("2026-11-22T06:30:02Z"), NOW, "UTC")).toBe("06:30:02");
    expect(formatInstant(new Date("2026-11-21T06:30:02Z"), NOW, "UTC")).toBe("Sat 21 Nov 06:30");
    expect(formatInstant(new Date("2025-11-21T06:30:02Z"), NOW, "UTC")).toBe("2025-11-21 06:30");
  });

  it("what is today depends on the zone", () => {
    expect(formatInstant(new Date("2026-11-22T23:30:00Z"), new Date("2026-11-23T01:00:00Z"), "Europe/Berlin")).toBe(
      "00:30:00",
    );
    expect(formatInstant(new Date("2026-11-22T23:30:00Z"), new Date("2026-11-23T01:00:00Z"), "UTC")).toBe(
      "Sun 22 Nov 23:30",
    );
  });

  it("midnight is 00, never 24", () => {
    expect(formatFull(new Date("2026-11-22T00:00:00Z"), "UTC")).toBe("2026-11-22 00:00:00 UTC");
    expect(formatPreciseClock(new Date("2026-11-22T00:00:00.007Z"), "UTC")).toBe("00:00:00.007");
  });

  it("says how far away", () => {
    expect(formatRelative(new Date("2026-11-22T20:03:56Z"), NOW)).toBe("in 3 min 56 s");
    expect(formatRelative(new Date("2026-11-22T19:59:48.400Z"), NOW)).toBe("12 s ago");
    expect(formatRelative(NOW, NOW)).toBe("now");
  });
});
