import { expect, it } from "vitest";
import { failureRate, parseTaskSort, percent, sortedTasks, type TaskFigures } from "./task-figures";

function task(slug: string, more: Partial<TaskFigures> = {}): TaskFigures {
  return { slug, ended: 10, failed: 0, retries: 0, medianSeconds: 1, p95Seconds: 2, criticalShare: 0, ...more };
}

it("sorts numbers with the largest first, names from A to Z, and unknown durations last", () => {
  const tasks = [
    task("b", { failed: 5, medianSeconds: null }),
    task("a", { failed: 5, criticalShare: 0.2 }),
    task("c", { ended: 0, medianSeconds: 3, criticalShare: 0.8 }),
  ];
  const order = (sort: string) =>
    sortedTasks(tasks, parseTaskSort(sort) ?? "share")
      .map(({ slug }) => slug)
      .join("");
  expect(order("task")).toBe("abc");
  expect(order("failed")).toBe("abc");
  expect(order("median")).toBe("cab");
  expect(order("share")).toBe("cab");
  expect(order("nonsense")).toBe("cab");
  expect(tasks.map(failureRate)).toEqual([0.5, 0.5, 0]);
});

it("prints shares", () => {
  expect([0, 0.001, 0.0321, 0.05, 0.668, 1].map(percent)).toEqual(["0 %", "0.1 %", "3.2 %", "5 %", "67 %", "100 %"]);
});
