import { describe, expect, it } from "vitest";
import { domainOf, layoutRows, parseSelection, place, type TaskRun, ticksOf } from "../lib/timeline";

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 22, 6, 0, seconds)).toISOString();
const NOW = Date.parse(at(100));

function run(
  taskSlug: string,
  mapIndex: number,
  state: [string, string],
  start: number | null,
  end: number | null,
  attempts: [number, number][] = [],
): TaskRun {
  return {
    id: `${taskSlug}-${mapIndex}`,
    taskSlug,
    mapIndex,
    name: taskSlug,
    state: { type: state[0], name: state[1], message: "", at: at(end ?? start ?? 0) },
    runCount: 1,
    startTime: start === null ? null : at(start),
    endTime: end === null ? null : at(end),
    created: at(0),
    attempts: attempts.map(([from, to]) => ({ start: at(from), end: at(to), state: "x", type: "x" })),
  };
}

const OK: [string, string] = ["SUCCESS", "Success"];
const BAD: [string, string] = ["FAILED", "Failed"];
const NOT_RUN: [string, string] = ["FAILED", "TriggerFailed"];
const RUNNING: [string, string] = ["RUNNING", "Running"];

describe("rows", () => {
  const tasks = [
    run("load", -1, NOT_RUN, null, null),
    run("extract", -1, BAD, 1, 9),
    run("extract", 0, OK, 1, 3),
    run("extract", 1, BAD, 2, 9, [
      [2, 4],
      [6, 9],
    ]),
    run("orders", -1, OK, 0, 1),
  ];
  const order = ["orders", "extract", "load"];

  it("follow the flow and fold mapped tasks", () => {
    const rows = layoutRows(tasks, order, new Set(), NOW);
    expect(rows.map((row) => row.label)).toEqual(["orders", "extract", "load"]);
    expect(rows[1]).toMatchObject({ children: 2, family: "failed", counts: { success: 1, failed: 1 } });
    expect(rows[1]?.density.length).toBeGreaterThan(0);
  });

  it("unfold with the failed ones first", () => {
    const rows = layoutRows(tasks, order, new Set(["extract"]), NOW);
    expect(rows.map((row) => row.label)).toEqual(["orders", "extract", "extract[1]", "extract[0]", "load"]);
  });

  it("show the wait and every attempt as its own piece", () => {
    const rows = layoutRows(tasks, order, new Set(["extract"]), NOW);
    const failed = rows.find((row) => row.label === "extract[1]");
    expect(failed?.segments.map((segment) => [segment.kind, segment.family])).toEqual([
      ["waiting", "waiting"],
      ["attempt", "attention"],
      ["attempt", "failed"],
    ]);
  });

  it("a task that did not run is a mark, a waiting one nothing", () => {
    const rows = layoutRows(
      [run("a", -1, NOT_RUN, null, null), run("b", -1, ["PENDING", "Pending"], null, null)],
      [],
      new Set(),
      NOW,
    );
    expect(rows.map((row) => row.segments.length)).toEqual([1, 0]);
    expect(rows[0]?.family).toBe("upstream");
  });

  it("a running one is open and reaches now", () => {
    const [row] = layoutRows([run("a", -1, RUNNING, 10, null)], [], new Set(), NOW);
    expect(row?.segments.at(-1)).toMatchObject({ open: true, end: NOW });
  });

  it("holds ten thousand children", () => {
    const many = Array.from({ length: 10_000 }, (_, index) => run("m", index, OK, index % 50, (index % 50) + 1));
    expect(layoutRows(many, ["m"], new Set(["m"]), NOW)).toHaveLength(10_001);
  });
});

describe("the axis", () => {
  it("spans the run and its tasks", () => {
    expect(domainOf(at(0), at(9), [], NOW)).toEqual([Date.parse(at(0)), Date.parse(at(9))]);
    expect(domainOf(at(0), null, [], NOW)[1]).toBe(NOW);
    expect(domainOf(null, null, [], NOW)).toEqual([NOW - 1000, NOW]);
  });

  it("has few and round ticks", () => {
    const ticks = ticksOf([Date.parse(at(0)), Date.parse(at(58))], 6);
    expect(ticks.length).toBeLessThanOrEqual(7);
    expect(ticks.every((tick) => tick.at % 10_000 === 0)).toBe(true);
  });

  it("never places a bar outside", () => {
    expect(place(-50, 50, [0, 100])).toEqual({ left: 0, width: 100 });
    expect(place(90, 200, [0, 100])).toEqual({ left: 90, width: 10 });
  });
});

it("reads selections", () => {
  expect(parseSelection("extract[17]")).toEqual({ taskSlug: "extract", mapIndex: 17 });
  expect(parseSelection("load-1")).toEqual({ taskSlug: "load-1", mapIndex: null });
  expect(parseSelection("")).toBeNull();
});
