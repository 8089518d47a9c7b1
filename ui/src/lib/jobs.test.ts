import { describe, expect, it } from "vitest";
import { countsInWords, type JobState, jobState, jobTitle, leftOf, shareOf } from "./jobs";
import { lookOf } from "./states";

const job = (more: object) => ({ state: "running" as JobState, total: 15, done: 11, refused: 1, ...more });

describe("jobs in words", () => {
  it("count what was done, refused and is to do", () => {
    expect(countsInWords(job({}))).toBe("11 done · 1 not changed · 3 remaining");
    expect(countsInWords(job({ state: "cancelled" }))).toBe("11 done · 1 not changed · 3 not processed");
    expect(countsInWords(job({ refused: 2, done: 1_200, total: 1_202 }))).toBe("1,200 done · 2 not changed");
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

const STATES: JobState[] = ["queued", "running", "done", "cancelled", "failed"];

describe("every state of a job", () => {
  it.each(STATES)("%s has a word and the look of a run's state", (state) => {
    const { word, family, name } = jobState(state);
    expect(word).not.toBe("");
    expect(lookOf({ type: "", name }).family).toBe(family);
  });

  it("has a word of its own", () => {
    expect(new Set(STATES.map((state) => jobState(state).word)).size).toBe(STATES.length);
  });
});

describe("the counts of a job", () => {
  const every = STATES.flatMap((state) =>
    [0, 1, 7].flatMap((done) =>
      [0, 1, 3].flatMap((refused) => [0, 5, 10].map((total) => job({ state, done, refused, total }))),
    ),
  );

  it("never make more or less than all of it", () => {
    for (const one of every) {
      expect(shareOf(one)).toBeGreaterThanOrEqual(0);
      expect(shareOf(one)).toBeLessThanOrEqual(1);
      expect(leftOf(one)).toBeGreaterThanOrEqual(0);
    }
  });

  it("say of a job that is done nothing that is left", () => {
    for (const one of every.filter((each) => each.state === "done")) {
      expect(shareOf(one)).toBe(1);
      expect(countsInWords(one)).not.toMatch(/remaining|not processed/);
    }
  });

  it("say what is left in the words of a job that goes on, or that is over", () => {
    for (const one of every.filter((each) => each.state !== "done" && leftOf(each) > 0)) {
      const isOver = one.state === "cancelled" || one.state === "failed";
      expect(countsInWords(one)).toContain(`${leftOf(one)} ${isOver ? "not processed" : "remaining"}`);
    }
  });

  it("leave out what is none", () => {
    expect(countsInWords(job({ done: 0, refused: 0, total: 0 }))).toBe("0 done");
    expect(countsInWords(job({ done: 5, refused: 0, total: 5 }))).toBe("5 done");
  });
});

it.each([
  ["restart", "Restart runs"],
  ["cancel", "Stop runs"],
  ["skip_held", "Skip held runs"],
])("calls %s by what it does", (kind, title) => {
  expect(jobTitle({ kind, request: {} })).toBe(title);
});

it("calls a marking by the state, if it is known", () => {
  expect(jobTitle({ kind: "mark", request: {} })).toBe("Mark runs as ended");
});
