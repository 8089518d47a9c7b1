import { describe, expect, it } from "vitest";
import { countsInWords, jobTitle, shareOf } from "./jobs";

const job = (more: object) => ({ state: "running" as const, total: 15, done: 11, refused: 1, ...more });

describe("jobs in words", () => {
  it("count what was done, refused and is to do", () => {
    expect(countsInWords(job({}))).toBe("11 done · 1 left as it was · 3 to do");
    expect(countsInWords(job({ state: "cancelled" }))).toBe("11 done · 1 left as it was · 3 not looked at");
    expect(countsInWords(job({ refused: 2, done: 1_200, total: 1_202 }))).toBe("1,200 done · 2 left as they were");
    expect(countsInWords(job({ state: "done", refused: 0 }))).toBe("11 done");
  });

  it("have a title, also of kinds that are unknown here", () => {
    expect(jobTitle({ kind: "mark", request: { state: "Skipped" } })).toBe("Mark runs as Skipped");
    expect(jobTitle({ kind: "backfill", request: {} })).toBe("Backfill");
    expect(jobTitle({ kind: "new_thing", request: {} })).toBe("new_thing");
  });

  it("fill their bar", () => {
    expect(shareOf(job({}))).toBeCloseTo(0.8);
    expect(shareOf(job({ state: "done", done: 3 }))).toBe(1);
    expect(shareOf(job({ total: 0, done: 0, refused: 0 }))).toBe(0);
    expect(shareOf(job({ total: 5 }))).toBe(1);
  });
});
