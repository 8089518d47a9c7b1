import { expect, it } from "vitest";
import { ariaSort, columnOf, nextSort, parseColumns, parseDensity, printColumns, USUAL } from "./run-columns";

it("keeps a choice of columns, in their order and with those that tell rows apart", () => {
  expect(parseColumns(null)).toEqual(USUAL);
  expect(parseColumns(printColumns(["by", "due"]))).toEqual(["state", "run", "due", "by"]);
  expect(parseColumns("gone,labels")).toEqual(["state", "run", "labels"]);
});

it("keeps a density", () => {
  expect([null, "compact", "huge"].map(parseDensity)).toEqual(["normal", "compact", "normal"]);
});

it("sorts by a title: newest, oldest, and then as usual", () => {
  const started = columnOf("started");
  expect(nextSort(started, "-scheduled_time")).toBe("-start_time");
  expect(nextSort(started, "-start_time")).toBe("start_time");
  expect(nextSort(started, "start_time")).toBe("-scheduled_time");
  expect(nextSort(columnOf("agent"), "start_time")).toBeNull();
  expect([ariaSort(started, "-start_time"), ariaSort(started, "start_time"), ariaSort(started, "waiting")]).toEqual([
    "descending",
    "ascending",
    undefined,
  ]);
});
