import { describe, expect, it } from "vitest";
import { blocksOf, readSlots, usageInWords } from "./limits";

describe("slots that are typed", () => {
  it.each([
    ["0", 0],
    [" 12 ", 12],
    ["100000", 100_000],
  ])("%s counts", (text, slots) => {
    expect(readSlots(text)).toEqual({ slots });
  });

  it.each(["", "-1", "1.5", "many", "100001", "1e3"])("%s doesn't, and says why", (text) => {
    expect(readSlots(text)).toEqual({ error: expect.stringMatching(/^Enter /) });
  });
});

describe("how full a limit is", () => {
  it.each([
    [3, 2, "2 of 3 in use"],
    [0, 0, "paused: nothing starts"],
    [0, 2, "paused: nothing new starts, 2 still in use"],
    [2, 4, "4 of 2 in use; no more start until it is below"],
  ])("%i slots, %i used", (slots, used, words) => {
    expect(usageInWords({ slots, used })).toBe(words);
  });

  it("is drawn in blocks while they can be counted", () => {
    expect(blocksOf({ slots: 3, used: 2 })).toEqual(["used", "used", "free"]);
    expect(blocksOf({ slots: 1, used: 2 })).toEqual(["used", "over"]);
    expect(blocksOf({ slots: 0, used: 0 })).toBeNull();
    expect(blocksOf({ slots: 500, used: 2 })).toBeNull();
  });
});
