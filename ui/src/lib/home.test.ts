import { describe, expect, it } from "vitest";
import { barOf, endedWell, inARow, needsOf, type PastRun, readinessOf, streakOf, successOf, typicalOf } from "./home";

const at = (minute: number) => `2026-11-22T06:${String(minute).padStart(2, "0")}:00Z`;

function past(type: string, end: number | null, seconds = 30): PastRun {
  const ended = end === null ? null : at(end);
  const start = new Date(Date.parse(at(end ?? 0)) - seconds * 1000).toISOString();
  return { id: `${type}-${end}-${seconds}`, state: { type, name: type }, startTime: start, endTime: ended };
}

function failure(flow: string, end: number, message: string, recentRuns: PastRun[] = [], task = "load", mapIndex = -1) {
  return {
    id: `${flow}-${end}`,
    name: `run-${end}`,
    endTime: at(end),
    state: { message: "The run failed.", at: at(end) },
    flow: { id: flow, name: flow, recentRuns },
    cause: {
      taskSlug: task,
      mapIndex,
      message,
      fingerprint: message.replace(/\d+/g, "#"),
      known: null as object | null,
    },
  };
}

describe("what needs a person", () => {
  it("groups the runs of a flow that failed in one task for one reason, as the server tells reasons apart", () => {
    const needs = needsOf([
      failure("etl", 9, "page 17 of 26: 503"),
      failure("etl", 8, "page 3 of 26: 503"),
      failure("etl", 7, "disk full"),
      failure("etl", 6, "disk full", [], "write"),
      failure("dq", 5, "disk full"),
    ]);
    expect(needs.map((need) => [need.runs[0]?.flow.id, need.task, need.message, need.runs.length])).toEqual([
      ["etl", "load", "page 17 of 26: 503", 2],
      ["etl", "load", "disk full", 1],
      ["etl", "write", "disk full", 1],
      ["dq", "load", "disk full", 1],
    ]);
  });

  it("leaves out what a later success of the flow has resolved, and only that", () => {
    const resolved = [past("SUCCESS", 10), past("FAILED", 9)];
    const again = [past("FAILED", 12), past("SUCCESS", 10), past("FAILED", 9)];
    expect(needsOf([failure("etl", 9, "boom", resolved)])).toEqual([]);
    expect(needsOf([failure("etl", 12, "boom", again), failure("etl", 9, "boom", again)])).toMatchObject([
      { runs: [{ id: "etl-12" }], streak: 1 },
    ]);
  });

  it("says of a cause that it is known", () => {
    const known = failure("etl", 9, "disk full");
    known.cause.known = { id: "known-1" };
    const needs = needsOf([known, failure("etl", 8, "no route")]);
    expect(needs.map(({ message, isKnown }) => [message, isKnown])).toEqual([
      ["disk full", true],
      ["no route", false],
    ]);
  });

  it("names the child only if all of them failed in it", () => {
    const [same] = needsOf([failure("etl", 9, "boom", [], "load", 4), failure("etl", 8, "boom", [], "load", 4)]);
    const [different] = needsOf([failure("etl", 9, "boom", [], "load", 4), failure("etl", 8, "boom", [], "load", 5)]);
    expect([same?.task, different?.task]).toEqual(["load[4]", "load"]);
  });

  it("puts the longest streak first, then the newest", () => {
    const streak = [past("FAILED", 4), past("FAILED", 3), past("SUCCESS", 2)];
    const needs = needsOf([failure("b", 9, "x"), failure("a", 7, "x"), failure("c", 4, "x", streak)]);
    expect(needs.map((need) => need.runs[0]?.flow.id)).toEqual(["c", "b", "a"]);
  });

  it("uses the state's message where there is no cause", () => {
    expect(needsOf([{ ...failure("a", 1, ""), cause: null }])).toMatchObject([
      { task: "", message: "The run failed." },
    ]);
  });

  it.each([
    [{ streak: 3, runs: [1] }, "3 in a row"],
    [{ streak: 1, runs: [1, 2] }, "2 runs"],
    [{ streak: 1, runs: [1] }, ""],
  ])("%j: %s", (need, words) => {
    expect(inARow(need)).toBe(words);
  });
});

it("counts a streak among the runs that have ended", () => {
  expect(streakOf([past("RUNNING", null), past("FAILED", 3), past("FAILED", 2), past("SUCCESS", 1)])).toBe(2);
  expect(streakOf([past("SUCCESS", 3), past("FAILED", 2)])).toBe(0);
  expect(streakOf([past("FAILED", 3)])).toBe(1);
});

it("knows a typical duration once three runs have succeeded", () => {
  const two = [past("SUCCESS", 9, 10), past("SUCCESS", 8, 20), past("FAILED", 7, 1)];
  expect(typicalOf(two)).toBeNull();
  expect(typicalOf([...two, past("SUCCESS", 6, 90)])).toBe(20_000);
});

it("says how many ended runs succeeded, without those that people stopped", () => {
  expect(successOf([past("RUNNING", null)])).toBeNull();
  expect(successOf([past("SUCCESS", 3), past("SUCCESS", 2), past("FAILED", 1), past("CANCELLED", 0)])).toBe(66);
});

describe("a run's bar", () => {
  const run = (seconds: number, total = 4, waiting = 3) => ({
    startTime: new Date(Date.parse(at(0)) - seconds * 1000).toISOString(),
    taskCounts: { total, running: 0, waiting },
  });
  it.each([
    ["shows tasks where nothing is typical", run(10), null, { fill: 0.25, tick: null, isOver: false }],
    ["is empty before the first task", run(10, 0, 0), null, { fill: 0, tick: null, isOver: false }],
    ["shows time beside what is typical", run(40), 80_000, { fill: 0.4, tick: 0.8, isOver: false }],
    ["is full beyond", run(160), 80_000, { fill: 1, tick: 0.5, isOver: true }],
  ])("%s", (_, one, typical, bar) => {
    expect(barOf(one, typical, Date.parse(at(0)))).toEqual(bar);
  });
});

it("says whether a planned run will start", () => {
  expect(readinessOf({ paused: false, warnings: [] })).toEqual({ isReady: true, text: "ready" });
  expect(readinessOf({ paused: true, warnings: ["No agent."] }).text).toBe("the flow is paused");
  expect(readinessOf({ paused: false, warnings: ["No agent."] })).toEqual({ isReady: false, text: "No agent." });
});

it("sums up what ended", () => {
  const ended = [
    { stateType: "SUCCESS", runs: 995 },
    { stateType: "SUCCESS", runs: 1 },
    { stateType: "FAILED", runs: 4 },
    { stateType: "CANCELLED", runs: 50 },
  ];
  expect(endedWell(ended)).toEqual({ ok: 996, share: 99.6 });
  expect(endedWell([])).toEqual({ ok: 0, share: null });
});
