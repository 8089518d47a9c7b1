import { describe, expect, it } from "vitest";
import { type Policy, policyInWords, previewInWords, readCount, readWindow, windowText } from "./schedules";

const POLICY: Policy = { catchUp: "latest", catchUpCap: 100, catchUpWindow: null, overlap: "allow" };
const words = (change: Partial<Policy>) => policyInWords({ ...POLICY, ...change });

describe("a schedule's policies in words", () => {
  it("say what becomes of missed times and of overlaps", () => {
    expect(words({})).toBe("Makes up for the newest missed time; runs may overlap");
    expect(words({ catchUp: "all", catchUpCap: 1_000, catchUpWindow: 7_200, overlap: "queue" })).toBe(
      "Makes up for at most 1,000 missed times, within 2 h; runs wait for each other",
    );
    expect(words({ catchUp: "none", catchUpWindow: 60, overlap: "skip" })).toBe(
      "Skips missed times; a run is skipped while another is at work",
    );
    expect(words({ catchUpWindow: 90 })).toContain("within 90 s");
  });
});

describe("fields", () => {
  it("a window in minutes, or none", () => {
    expect([readWindow("90"), readWindow(" "), readWindow("0"), readWindow("-1"), readWindow("x")]).toEqual([
      5_400,
      0,
      null,
      null,
      null,
    ]);
    expect([windowText(null), windowText(5_400)]).toEqual(["", "90"]);
  });

  it("a count from 1 up to a most", () => {
    expect([readCount("1", 9), readCount("9", 9), readCount("10", 9), readCount("0", 9), readCount("1.5", 9)]).toEqual([
      1,
      9,
      null,
      null,
      null,
    ]);
  });
});

it("says what a backfill would do", () => {
  const preview = (count: number, existing: number) => previewInWords({ count, existing, first: null, last: null });
  expect(preview(0, 0)).toBe("There is no due time in this range.");
  expect(preview(1, 0)).toBe("1 due time, none has a run yet: 1 to create.");
  expect(preview(1_000, 1)).toBe("1,000 due times, 1 has a run already: 999 to create.");
  expect(preview(5, 5)).toBe("5 due times, all have runs already: nothing to create.");
});
