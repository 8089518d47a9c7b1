import { describe, expect, it } from "vitest";
import { layoutRows, mappedSlugs, ofFamily, place, type TaskRun } from "./timeline";

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 22, 6, 0, seconds)).toISOString();

function run(taskSlug: string, mapIndex: number, type: string, name: string): TaskRun {
  return {
    id: `${taskSlug}-${mapIndex}`,
    taskSlug,
    mapIndex,
    name: taskSlug,
    state: { type, name, message: "", at: at(5) },
    runCount: 1,
    startTime: at(1),
    endTime: at(5),
    created: at(0),
    attempts: [],
  };
}

const tasks = [
  run("extract", -1, "FAILED", "Failed"),
  run("extract", 0, "SUCCESS", "Success"),
  run("extract", 1, "FAILED", "Failed"),
  run("transform", -1, "SUCCESS", "Success"),
  run("transform", 0, "SUCCESS", "Success"),
  run("load", -1, "FAILED", "TriggerFailed"),
];
const ids = (runs: readonly TaskRun[]) => runs.map((one) => one.id).sort();

describe("the tasks of one state", () => {
  it("are all of them when none is asked for", () => {
    expect(ofFamily(tasks, null)).toBe(tasks);
  });

  it("keep a mapped task that has children left, and drop one that hasn't", () => {
    expect(ids(ofFamily(tasks, "failed"))).toEqual(["extract--1", "extract-1"]);
    expect(ids(ofFamily(tasks, "success"))).toEqual(["extract--1", "extract-0", "transform--1", "transform-0"]);
  });

  it("tell what did not run from what failed", () => {
    expect(ids(ofFamily(tasks, "upstream"))).toEqual(["load--1"]);
    expect(ofFamily(tasks, "running")).toEqual([]);
  });

  it("make rows whose counts are those of the children that are left", () => {
    const [row] = layoutRows(ofFamily(tasks, "failed"), [], new Set(), Date.parse(at(9)));
    expect(row).toMatchObject({ label: "extract", children: 1, counts: { failed: 1 } });
  });
});

it("knows which tasks are mapped", () => {
  expect([...mappedSlugs(tasks)]).toEqual(["extract", "transform"]);
});

it("gives an instant a place but no width; the smallest bar is the drawing's to make", () => {
  expect(place(50, 50, [0, 100])).toEqual({ left: 50, width: 0 });
});
