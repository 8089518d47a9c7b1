import { describe, expect, it } from "vitest";
import { repeat } from "../test/random";
import {
  elapsed,
  formatClock,
  formatDay,
  formatDuration,
  formatInstant,
  formatPreciseClock,
  formatRelative,
} from "./time";

const UNITS: Record<string, number> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };
/** The unit that stands second; a zero of it is not printed. */
const SECOND: Record<string, number> = { ms: 1, s: 1_000, min: 1_000, h: 60_000, d: 3_600_000 };
const ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Chatham"];

/** What a printed duration stands for, and the unit to which it is exact. */
function parse(text: string): { milliseconds: number; finest: number } {
  const pieces = [...text.matchAll(/([\d.]+) (ms|s|min|h|d)/g)].map(([, number, unit]) => ({
    milliseconds: Number(number) * (UNITS[unit as string] as number),
    second: SECOND[unit as string] as number,
  }));
  return {
    milliseconds: pieces.reduce((sum, piece) => sum + piece.milliseconds, 0),
    finest: pieces[0]?.second ?? 0,
  };
}

describe("a duration", () => {
  const durations = (most: number) => {
    const values: number[] = [];
    for (let value = 1; value < most; value = Math.ceil(value * 1.07)) values.push(value);
    return values;
  };

  it("stands for what it was made of: seconds are rounded, and what larger units leave over is dropped", () => {
    for (const ms of durations(30 * 86_400_000)) {
      const text = formatDuration(ms);
      const { milliseconds, finest } = parse(text);
      const rounded = finest <= 1_000 ? 0 : 500;
      const [most, least] = finest <= 1_000 ? [finest / 2, -finest / 2] : [finest, 0];
      expect(ms - milliseconds, text).toBeGreaterThanOrEqual(least - rounded);
      expect(ms - milliseconds, text).toBeLessThanOrEqual(most);
    }
  });

  it("never shrinks when the time grows", () => {
    let before = 0;
    for (const ms of durations(30 * 86_400_000)) {
      const { milliseconds } = parse(formatDuration(ms));
      expect(milliseconds).toBeGreaterThanOrEqual(before);
      before = milliseconds;
    }
  });

  it("has at most two units, the larger first, and no 60 of anything", () => {
    for (const ms of durations(30 * 86_400_000)) {
      const text = formatDuration(ms);
      expect(text).toMatch(/^(\d+ ms|\d+(\.\d)? s|\d+ min( \d{1,2} s)?|\d+ h( \d\d min)?|\d+ d( \d\d h)?)$/);
      expect(text).not.toMatch(/\b60 (s|min)\b|1000 ms/);
    }
  });

  it.each([
    [999.4, "999 ms"],
    [999.5, "1 s"],
    [9_949, "9.9 s"],
    [9_950, "10 s"],
    [59_499, "59 s"],
    [59_500, "1 min"],
    [61_000, "1 min 1 s"],
    [3_599_499, "59 min 59 s"],
    [3_599_500, "1 h"],
    [3_660_000, "1 h 01 min"],
    [86_399_499, "23 h 59 min"],
    [86_399_500, "1 d"],
    [86_400_000, "1 d"],
    [90_000_000, "1 d 01 h"],
    [Number.NEGATIVE_INFINITY, "0 ms"],
  ])("changes its unit at its border: %d ms is %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe("a distance", () => {
  const now = new Date("2026-11-22T20:00:00Z");

  it("reads the same in both directions", () => {
    repeat(300, (random) => {
      const distance = random.integer(1_000, 40 * 86_400_000);
      const ahead = formatRelative(new Date(now.getTime() + distance), now);
      const behind = formatRelative(new Date(now.getTime() - distance), now);
      expect(ahead).toMatch(/^in \d/);
      expect(behind).toBe(ahead.replace(/^in (.+)$/, "$1 ago"));
    });
  });

  it("counts whole seconds below a minute", () => {
    for (let ms = 1_000; ms < 60_000; ms += 137)
      expect(formatRelative(new Date(now.getTime() - ms), now)).toMatch(/^(\d+ s|1 min) ago$/);
  });

  it("is now within a second", () => {
    for (const ms of [-999, -1, 0, 1, 999]) expect(formatRelative(new Date(now.getTime() + ms), now)).toBe("now");
  });
});

describe("a day and a clock", () => {
  it("are the instant, in UTC to the second", () => {
    repeat(300, (random) => {
      const at = new Date(random.integer(0, 4_000_000_000) * 1_000 + random.integer(0, 999));
      const text = `${formatDay(at, "UTC")}T${formatPreciseClock(at, "UTC")}Z`;
      expect(text).toBe(at.toISOString());
    });
  });

  it("are always equally wide, in every zone", () => {
    repeat(200, (random) => {
      const at = new Date(random.integer(0, 4_000_000_000) * 1_000);
      const zone = random.pick(ZONES);
      expect(formatClock(at, zone)).toMatch(/^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$/);
      expect(formatDay(at, zone)).toMatch(/^\d{4}-(0\d|1[0-2])-[0-3]\d$/);
    });
  });

  it("show both hours of the night in which clocks go back", () => {
    const first = new Date("2026-10-25T00:30:00Z");
    const second = new Date("2026-10-25T01:30:00Z");
    expect([first, second].map((at) => formatClock(at, "Europe/Berlin"))).toEqual(["02:30:00", "02:30:00"]);
    expect(formatClock(new Date("2026-03-29T01:00:00Z"), "Europe/Berlin")).toBe("03:00:00");
  });
});

describe("an instant", () => {
  it("says as much as is needed to tell it from others, in every zone", () => {
    repeat(300, (random) => {
      const zone = random.pick(ZONES);
      const now = new Date(random.integer(1_600_000_000, 1_900_000_000) * 1_000);
      const at = new Date(now.getTime() + random.integer(-500 * 86_400, 500 * 86_400) * 1_000);
      const text = formatInstant(at, now, zone);
      const [day, today] = [formatDay(at, zone), formatDay(now, zone)];
      if (day === today) expect(text).toBe(formatClock(at, zone));
      else if (day.slice(0, 4) === today.slice(0, 4))
        expect(text).toMatch(/^[A-Z][a-z]{2} \d{1,2} [A-Z][a-z]+ \d\d:\d\d$/);
      else expect(text).toBe(`${day} ${formatClock(at, zone).slice(0, 5)}`);
    });
  });
});

describe("a span", () => {
  it("is never negative, whatever the clocks of two machines say", () => {
    expect(elapsed("2026-11-22T20:00:10Z", "2026-11-22T20:00:00Z", 0)).toBe(0);
    expect(elapsed("2026-11-22T20:00:10Z", null, Date.parse("2026-11-22T20:00:00Z"))).toBe(0);
  });

  it("ignores now once it has ended", () => {
    const span = (now: number) => elapsed("2026-11-22T20:00:00Z", "2026-11-22T20:00:05Z", now);
    expect([span(0), span(Date.now()), span(Number.MAX_SAFE_INTEGER)]).toEqual([5_000, 5_000, 5_000]);
  });
});
