import { describe, expect, it } from "vitest";
import {
  cursorOf,
  findMatches,
  type LogRecord,
  levelWord,
  merge,
  nextError,
  sameRow,
  taskLabel,
  toLines,
} from "./log-model";

const record = (id: number, message = `line ${id}`, level = 20): LogRecord => ({
  id,
  at: "2026-11-22T06:30:00Z",
  level,
  logger: "flow",
  stream: null,
  message,
  taskSlug: null,
  mapIndex: -1,
});

describe("lines", () => {
  it("a record of many lines is many rows", () => {
    const lines = toLines([record(1, "a\nb\r\nc"), record(2)]);
    expect(lines.map((line) => [line.record.id, line.part, line.text])).toEqual([
      [1, 0, "a"],
      [1, 1, "b"],
      [1, 2, "c"],
      [2, 0, "line 2"],
    ]);
  });

  it("takes terminal colours out and cuts what is endless", () => {
    expect(toLines([record(1, "\u001b[31mred\u001b[0m")])[0]?.text).toBe("red");
    expect(toLines([record(1, "x".repeat(5_000))])[0]?.text).toMatch(/… 1000 more characters$/);
  });
});

describe("wrapped lines", () => {
  const records = [record(1, "abcdefgh\nij"), record(2, ""), record(3, "Boom", 40)];
  const lines = toLines(records, 3);

  it("go on in rows of one width, under one number", () => {
    expect(lines.map((line) => [line.number, line.part, line.from, line.text])).toEqual([
      [1, 0, 0, "abc"],
      [1, 1, 3, "def"],
      [1, 2, 6, "gh"],
      [2, 3, 0, "ij"],
      [3, 0, 0, ""],
      [4, 0, 0, "Boo"],
      [4, 1, 3, "m"],
    ]);
  });

  it("are found in the row where the text begins, even when it ends in the next", () => {
    expect(findMatches(lines, "cde")).toEqual([0]);
    expect(findMatches(lines, "gh")).toEqual([2]);
    expect(findMatches(lines, "oom")).toEqual([5]);
  });

  it("keep their error heads and their place when the width changes", () => {
    expect(nextError(lines, -1, 1)).toBe(5);
    const wide = toLines(records);
    expect(sameRow(lines[2], wide)).toBe(0);
    expect(sameRow(wide[3], lines)).toBe(5);
    expect(sameRow(undefined, lines)).toBe(-1);
  });
});

describe("finding", () => {
  const lines = toLines([record(1), record(2, "Boom\n  at x", 40), record(3), record(4, "boom again", 50)]);

  it("finds without regard to case", () => {
    expect(findMatches(lines, "boom")).toEqual([1, 4]);
    expect(findMatches(lines, "  ")).toEqual([]);
  });

  it("walks the errors by their first lines", () => {
    expect(nextError(lines, -1, 1)).toBe(1);
    expect(nextError(lines, 1, 1)).toBe(4);
    expect(nextError(lines, 4, 1)).toBe(-1);
    expect(nextError(lines, 4, -1)).toBe(1);
  });
});

describe("pages", () => {
  it("merge in order and without doubles", () => {
    const ids = (records: LogRecord[]) => records.map((one) => one.id);
    expect(ids(merge([record(3), record(4)], [record(1), record(2), record(3)]))).toEqual([1, 2, 3, 4]);
    expect(ids(merge([record(1), record(2)], [record(2), record(5)]))).toEqual([1, 2, 5]);
    expect(ids(merge([record(1)], []))).toEqual([1]);
  });

  it("cursors are the server's", () => {
    expect(cursorOf(42)).toBe("NDI");
  });
});

it("names levels and tasks", () => {
  expect([5, 10, 20, 30, 40, 50].map(levelWord)).toEqual(["DEBUG", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"]);
  expect(taskLabel({ taskSlug: "extract", mapIndex: 17 })).toBe("extract[17]");
  expect(taskLabel({ taskSlug: "load", mapIndex: -1 })).toBe("load");
});
