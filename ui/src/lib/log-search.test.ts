import { describe, expect, it } from "vitest";
import { hasWord, markedParts, parseLogSearch, printLogSearch, toLogFilter } from "./log-search";

describe("the search in all logs", () => {
  it("keeps its view in the URL", () => {
    const view = { q: "refused ", level: "warn", flow: "finance/etl" } as const;
    expect(parseLogSearch(printLogSearch(view))).toEqual(view);
    expect(parseLogSearch({ q: 5, level: "loud", flow: "x".repeat(300) })).toEqual({
      q: "",
      level: undefined,
      flow: "x".repeat(200),
    });
    expect(printLogSearch({ q: "  ", level: undefined, flow: " " })).toEqual({});
  });

  it("asks the server by its names", () => {
    expect(toLogFilter({ q: "x", level: "error", flow: "etl" })).toEqual({ minLevel: 40, flow: "etl" });
    expect(toLogFilter({ q: "x", level: undefined, flow: "" })).toEqual({});
  });

  it("needs a letter or a digit", () => {
    expect(["x", "東", "é", "1"].every(hasWord)).toBe(true);
    expect(["", " ", "…*\"'", "→"].some(hasWord)).toBe(false);
  });

  it("marks where words begin", () => {
    const marked = (message: string, q: string) =>
      markedParts(message, q)
        .filter((part) => part.isMarked)
        .map((part) => part.text);
    expect(marked("Timeout of uptime: TIME out", "time out")).toEqual(["Time", "TIME", "out"]);
    expect(marked("a (b) [c] naïve", "(b [c naïv")).toEqual(["b", "c", "naïv"]);
    expect(markedParts("whole", "...")).toEqual([{ text: "whole", isMarked: false }]);
    expect(
      markedParts("a b", "b")
        .map((part) => part.text)
        .join(""),
    ).toBe("a b");
  });
});
