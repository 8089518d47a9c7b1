import { describe, expect, it } from "vitest";
import { parseRunSearch } from "./search";

describe("the address of a run's page", () => {
  it("is read in full", () => {
    const search = { view: "table", pane: "history", task: "load[2]", level: "warn", find: "x" };
    expect(parseRunSearch(search)).toEqual(search);
  });

  it("falls back where it can't be understood", () => {
    const nothing = { view: undefined, pane: undefined, task: undefined, level: undefined, find: undefined };
    expect(parseRunSearch({ view: "chart", pane: 1, task: "", level: "trace", find: ["a"] })).toEqual(nothing);
    expect(parseRunSearch({})).toEqual(nothing);
  });
});
