import { describe, expect, it } from "vitest";
import { repeat } from "../test/random";
import {
  CATCH_UP,
  OVERLAP,
  type Policy,
  policyInWords,
  previewInWords,
  readCount,
  readWindow,
  windowText,
} from "./schedules";

const POLICY: Policy = { catchUp: "latest", catchUpCap: 100, catchUpWindow: null, overlap: "allow" };
const words = (change: Partial<Policy>) => policyInWords({ ...POLICY, ...change });

describe("a schedule's policies in words", () => {
  it("say what happens to missed times and to overlaps", () => {
    expect(words({})).toBe("Catches up on the latest missed time; runs may overlap");
    expect(words({ catchUp: "all", catchUpCap: 1_000, catchUpWindow: 7_200, overlap: "queue" })).toBe(
      "Catches up on at most 1,000 missed times, within 2 h; runs wait for each other",
    );
    expect(words({ catchUp: "none", catchUpWindow: 60, overlap: "skip" })).toBe(
      "Skips missed times; a run is skipped while another is active",
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
  expect(preview(0, 0)).toBe("No due times in this range.");
  expect(preview(1, 0)).toBe("1 due time, none has a run yet: 1 to create.");
  expect(preview(1_000, 1)).toBe("1,000 due times, 1 has a run already: 999 to create.");
  expect(preview(5, 5)).toBe("5 due times, all have runs already: nothing to create.");
});

describe("every policy", () => {
  const every = CATCH_UP.flatMap((catchUp) =>
    OVERLAP.map((overlap) => ({ catchUp: catchUp.value, overlap: overlap.value })),
  );

  it("has words of its own", () => {
    expect(new Set(every.map(words)).size).toBe(CATCH_UP.length * OVERLAP.length);
  });

  it("says a window only where something is made up for", () => {
    for (const policy of every) {
      const hasWindow = words({ ...policy, catchUpWindow: 3_600 }).includes("within 1 h");
      expect(hasWindow).toBe(policy.catchUp !== "none");
    }
  });

  it("says a cap only where all are made up for", () => {
    for (const policy of every)
      expect(words({ ...policy, catchUpCap: 777 }).includes("777")).toBe(policy.catchUp === "all");
  });

  it("of a newer server is said in the server's word", () => {
    expect(words({ catchUp: "newest" as Policy["catchUp"] })).toBe("newest; runs may overlap");
    expect(words({ overlap: "merge" as Policy["overlap"] })).toMatch(/; merge$/);
  });

  it.each([
    [3_600, "within 1 h"],
    [5_400, "within 90 min"],
    [60, "within 1 min"],
    [61, "within 61 s"],
    [86_400, "within 24 h"],
  ])("a window of %d s is %s", (catchUpWindow, text) => {
    expect(words({ catchUpWindow })).toContain(text);
  });
});

describe("a window's field", () => {
  it("is read as it was written", () => {
    repeat(200, (random) => {
      const seconds = random.integer(1, 1_000_000);
      expect(readWindow(windowText(seconds))).toBeCloseTo(seconds, 6);
    });
    expect(readWindow(windowText(null))).toBe(0);
  });

  it.each(["1 h", "1,5", "∞", "Infinity", "NaN", "-0", "0.0", "--1"])("doesn't take %s", (text) => {
    expect(readWindow(text)).toBeNull();
  });

  it.each([
    ["1.5", 90],
    [" 2 ", 120],
    ["0.5", 30],
  ])("takes %s", (text, seconds) => {
    expect(readWindow(text)).toBe(seconds);
  });
});

describe("a count's field", () => {
  it("takes exactly the whole numbers up to the most", () => {
    for (let count = -3; count <= 15; count += 1)
      expect(readCount(` ${count} `, 9)).toBe(count >= 1 && count <= 9 ? count : null);
  });

  it.each(["", "1e1", "0x5", "5.", "+5", "5 5", "1234567890"])("doesn't take %j", (text) => {
    expect(readCount(text, 10 ** 9)).toBeNull();
  });
});

it("says of a backfill what is left to do, for every part that exists", () => {
  for (let count = 1; count <= 6; count += 1) {
    for (let existing = 0; existing <= count; existing += 1) {
      const sentence = previewInWords({ count, existing, first: null, last: null });
      expect(sentence.startsWith(`${count} due time${count === 1 ? "" : "s"}, `)).toBe(true);
      if (existing < count) expect(sentence.endsWith(`: ${count - existing} to create.`)).toBe(true);
      else expect(sentence).toMatch(/nothing to create/);
    }
  }
});
