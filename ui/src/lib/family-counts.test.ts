import { expect, it } from "vitest";
import { groupsOf } from "../test/builders";
import { familyCounts } from "./family-counts";
import type { TaskRun } from "./task-groups";

const AT = "2026-11-22T06:00:00Z";
const run = (taskSlug: string, mapIndex: number, type: string): TaskRun => ({
  id: `${taskSlug}-${mapIndex}`,
  taskSlug,
  mapIndex,
  name: taskSlug,
  state: { type, name: type, message: "", at: AT },
  runCount: 1,
  childRunId: null,
  startTime: AT,
  endTime: AT,
  created: AT,
  attempts: [],
});

it("counts a mapped task by its children, and names the families in one order", () => {
  const tasks = [
    run("load", -1, "SUCCESS"),
    run("extract", -1, "FAILED"),
    run("extract", 0, "SUCCESS"),
    run("extract", 1, "FAILED"),
    run("extract", 2, "SUCCESS"),
  ];
  const counts = familyCounts(groupsOf(tasks)).map(({ family, count }) => [family, count]);
  expect(Object.fromEntries(counts)).toEqual({ success: 3, failed: 1 });
  expect(familyCounts(groupsOf(tasks).reverse()).map(({ family, count }) => [family, count])).toEqual(counts);
  expect(familyCounts([])).toEqual([]);
});
