import { describe, expect, it } from "vitest";
import { allToggled, extentOf, isSelected, NOTHING, toggled } from "./selection";

const SHOWN = ["a", "b", "c", "d", "e"];
const ids = (selection: { ids: ReadonlySet<string> }) => [...selection.ids].sort().join("");

describe("rows that are selected", () => {
  it("one by one, and back", () => {
    const one = toggled(NOTHING, SHOWN, "b", false);
    expect(ids(one)).toBe("b");
    expect(ids(toggled(one, SHOWN, "b", false))).toBe("");
  });

  it("with Shift from the one that was changed last, in both directions, also to take away", () => {
    const down = toggled(toggled(NOTHING, SHOWN, "b", false), SHOWN, "d", true);
    expect(ids(down)).toBe("bcd");
    expect(ids(toggled(toggled(NOTHING, SHOWN, "d", false), SHOWN, "a", true))).toBe("abcd");
    expect(ids(toggled(toggled(down, SHOWN, "b", false), SHOWN, "c", true))).toBe("d");
  });

  it("with Shift but nothing before, or after that row has gone, only this one", () => {
    expect(ids(toggled(NOTHING, SHOWN, "c", true))).toBe("c");
    expect(ids(toggled({ ...NOTHING, anchor: "gone" }, SHOWN, "c", true))).toBe("c");
  });

  it("by the head: some or all becomes none, none becomes all that are loaded", () => {
    const all = allToggled(NOTHING, SHOWN);
    expect(extentOf(all, SHOWN)).toBe("all");
    expect(allToggled(all, SHOWN)).toBe(NOTHING);
    const some = toggled(NOTHING, SHOWN, "c", false);
    expect(extentOf(some, SHOWN)).toBe("some");
    expect(allToggled(some, SHOWN)).toBe(NOTHING);
    expect(extentOf(NOTHING, [])).toBe("none");
  });

  it("all that match, until one is taken out", () => {
    const everything = { ...NOTHING, allSince: "2026-11-23T06:00:00.000Z" };
    expect(isSelected(everything, "not loaded")).toBe(true);
    expect(extentOf(everything, SHOWN)).toBe("all");
    const less = toggled(everything, SHOWN, "a", false);
    expect(ids(less)).toBe("bcde");
    expect(less.allSince).toBeNull();
  });
});
