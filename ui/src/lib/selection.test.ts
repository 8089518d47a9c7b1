import { describe, expect, it } from "vitest";
import { repeat } from "../test/random";
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

describe("any series of clicks", () => {
  it("without Shift changes one row each, like boxes on paper", () => {
    repeat(200, (random) => {
      let selection = NOTHING;
      const paper = new Set<string>();
      for (let click = 0; click < 12; click += 1) {
        const id = random.pick(SHOWN);
        selection = toggled(selection, SHOWN, id, false);
        if (!paper.delete(id)) paper.add(id);
        expect(ids(selection)).toBe([...paper].sort().join(""));
        expect(selection.anchor).toBe(id);
      }
    });
  });

  it("with Shift makes a whole range as its beginning is, and leaves the rest alone", () => {
    repeat(300, (random) => {
      let selection = NOTHING;
      for (const id of random.some(SHOWN)) selection = toggled(selection, SHOWN, id, false);
      const { anchor } = selection;
      if (anchor === null) return;
      const to = random.pick(SHOWN);
      const after = toggled(selection, SHOWN, to, true);
      const [low, high] = [SHOWN.indexOf(anchor), SHOWN.indexOf(to)].sort((a, b) => a - b) as [number, number];
      for (const [index, id] of SHOWN.entries()) {
        const isInRange = index >= low && index <= high;
        expect(after.ids.has(id)).toBe(isInRange ? selection.ids.has(anchor) : selection.ids.has(id));
      }
    });
  });

  it("never changes the selection that it began with", () => {
    repeat(50, (random) => {
      const before = toggled(NOTHING, SHOWN, random.pick(SHOWN), false);
      const copy = ids(before);
      toggled(before, SHOWN, random.pick(SHOWN), random.boolean());
      expect(ids(before)).toBe(copy);
      expect(NOTHING.ids.size).toBe(0);
    });
  });
});

describe("rows that have gone from the list", () => {
  it("stay selected, but don't count for the box in the head", () => {
    const selection = toggled(NOTHING, ["gone"], "gone", false);
    expect(isSelected(selection, "gone")).toBe(true);
    expect(extentOf(selection, SHOWN)).toBe("none");
  });
});
