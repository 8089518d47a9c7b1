import { expect, test } from "vitest";
import { atLeast, goes } from "./deletion";

test("numbers are in words, and end where counting ends", () => {
  expect(atLeast(0, "run")).toBe("0 runs");
  expect(atLeast(1, "log line")).toBe("1 log line");
  expect(atLeast(1234, "run")).toBe("1,234 runs");
  expect(atLeast(100_000, "task run")).toBe("100,000+ task runs");
});

test("a project names the number of its flows", () => {
  const numbers = { flows: 2, versions: 3, schedules: 1, runs: 4, taskRuns: 5, logs: 6 };
  expect(goes(numbers, "project")[0]).toBe("2 flows");
  expect(goes(numbers, "flow")[0]).toBe("3 versions");
  expect(goes(numbers, "flow")).toHaveLength(5);
});
