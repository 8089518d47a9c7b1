import { describe, expect, it } from "vitest";
import { byOf, doneOf, progressOf, taskName, whyOf } from "./why";

const COUNTS = { total: 20, success: 12, failed: 0, running: 2, waiting: 6, other: 0 };
const run = (type: string, message = "", more: object = {}) => ({
  state: { type, name: type, message },
  cause: null,
  waitReason: null,
  taskCounts: COUNTS,
  ...more,
});
const cause = (taskSlug: string | null, mapIndex: number | null = -1) => ({ taskSlug, mapIndex, message: "boom" });

describe("the sentence of a row", () => {
  it.each([
    ["a success is quiet", run("SUCCESS", "All well."), ""],
    ["a failure says its task", run("FAILED", "m", { cause: cause("extract") }), "extract: boom"],
    ["a failure of a child names it", run("FAILED", "m", { cause: cause("extract", 17) }), "extract[17]: boom"],
    ["the first child is one too", run("FAILED", "m", { cause: cause("extract", 0) }), "extract[0]: boom"],
    ["a failure outside of tasks", run("FAILED", "m", { cause: cause(null) }), "boom"],
    ["a failure without a cause", run("FAILED", "killed"), "killed"],
    ["a run at work says how far it is", run("RUNNING", "m"), "60 % · 12 of 20 tasks"],
    ["a run that is stopped too", run("CANCELLING", "m"), "60 % · 12 of 20 tasks"],
    ["a run at work before its first task", run("RUNNING", "m", { taskCounts: { ...COUNTS, total: 0 } }), ""],
    ["a waiting run says for what", run("SCHEDULED", "m", { waitReason: "No agent." }), "No agent."],
    ["a waiting run without a reason", run("PENDING", "Submitted."), "Submitted."],
    ["a paused run", run("PAUSED", "Waits for alice."), "Waits for alice."],
    ["a cancelled run says why", run("CANCELLED", "Stopped by bob."), "Stopped by bob."],
  ])("%s", (_, one, sentence) => {
    expect(whyOf(one)).toBe(sentence);
  });

  it("speaks of a cause only where the run has failed", () => {
    for (const type of ["SUCCESS", "RUNNING", "SCHEDULED", "CANCELLED"])
      expect(whyOf(run(type, "", { cause: cause("extract") }))).not.toContain("boom");
  });
});

describe("progress", () => {
  it.each([
    [{ ...COUNTS, total: 3, running: 0, waiting: 0 }, "100 % · 3 of 3 tasks"],
    [{ ...COUNTS, total: 3, running: 1, waiting: 0 }, "66 % · 2 of 3 tasks"],
    [{ ...COUNTS, total: 1_000, running: 0, waiting: 1 }, "99 % · 999 of 1,000 tasks"],
    [{ ...COUNTS, total: 5, running: 2, waiting: 3 }, "0 % · 0 of 5 tasks"],
  ])("%j: %s", (counts, words) => {
    expect(progressOf(counts)).toBe(words);
  });

  it("is 100 % only when nothing runs or waits", () => {
    for (let left = 0; left <= 300; left += 1) {
      const counts = { ...COUNTS, total: 300, running: left, waiting: 0 };
      expect(progressOf(counts).startsWith("100 %")).toBe(left === 0);
      expect(doneOf(counts)).toBe(300 - left);
    }
  });
});

it("names a task with its child", () => {
  expect(taskName({ taskSlug: "load", mapIndex: -1 })).toBe("load");
  expect(taskName({ taskSlug: "load", mapIndex: null })).toBe("load");
  expect(taskName({ taskSlug: "load", mapIndex: 0 })).toBe("load[0]");
  expect(taskName({ taskSlug: null, mapIndex: 3 })).toBe("");
});

it("says who started it", () => {
  expect(byOf({ trigger: "schedule", createdBy: "alice" })).toBe("schedule");
  expect(byOf({ trigger: "api", createdBy: "alice" })).toBe("alice");
  expect(byOf({ trigger: "api", createdBy: "" })).toBe("api");
});
