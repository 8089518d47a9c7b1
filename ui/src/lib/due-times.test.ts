import { describe, expect, it } from "vitest";
import { clockTime, offsetOf } from "./due-times";

describe("a due time", () => {
  it("is shown as the clock of its zone shows it, wherever the browser is", () => {
    expect(clockTime("2026-03-29T03:00:00+02:00")).toBe("Sun, 29 Mar 2026 03:00");
    expect(clockTime("2026-01-01T00:00:15-11:00")).toBe("Thu, 1 Jan 2026 00:00:15");
  });

  it("has the offset that tells apart the two hours when the clocks go back", () => {
    expect(offsetOf("2026-10-25T02:30:00+01:00")).toBe("+01:00");
    expect(offsetOf("2026-10-25T02:30:00+00:00")).toBe("UTC");
  });
});
