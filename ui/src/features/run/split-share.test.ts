import { describe, expect, it } from "vitest";
import { keptShare, movedBy, shareAt } from "./split-share";

describe("the divider", () => {
  it("moves by keys and stays within its bounds", () => {
    expect(movedBy("ArrowLeft", false, 50)).toBe(48);
    expect(movedBy("ArrowRight", true, 50)).toBe(60);
    expect(movedBy("ArrowLeft", true, 27)).toBe(25);
    expect(movedBy("Home", false, 60)).toBe(25);
    expect(movedBy("End", false, 60)).toBe(75);
    expect(movedBy("Enter", false, 60)).toBe(50);
    expect(movedBy("a", false, 60)).toBeNull();
  });

  it("follows the pointer", () => {
    expect(shareAt(600, 200, 1000)).toBe(40);
    expect(shareAt(0, 200, 1000)).toBe(25);
    expect(shareAt(600, 200, 0)).toBe(50);
  });

  it("takes only a sensible memory", () => {
    expect(keptShare("61.5")).toBe(61.5);
    expect(keptShare("99")).toBe(75);
    expect(keptShare("wide")).toBe(50);
    expect(keptShare("")).toBe(50);
    expect(keptShare(null)).toBe(50);
  });
});
