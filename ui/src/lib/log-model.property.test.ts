import { describe, expect, it } from "vitest";
import { type Random, repeat } from "../test/random";
import {
  cursorOf,
  findMatches,
  type LogLine,
  type LogRecord,
  levelWord,
  merge,
  nextError,
  sameRow,
  toLines,
} from "./log-model";

const LEVELS = [5, 10, 20, 30, 40, 50];

function record(id: number, message: string, level = 20): LogRecord {
  return { id, at: "2026-11-22T06:30:00Z", level, logger: "flow", message, stream: null, taskSlug: null, mapIndex: -1 };
}

function text(random: Random, longest: number): string {
  const letters = "abcAB \t.:äé→";
  return Array.from({ length: random.integer(0, longest) }, () => random.pick([...letters])).join("");
}

function records(random: Random, count: number): LogRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const lines = Array.from({ length: random.integer(1, 3) }, () => text(random, 40));
    return record(index + 1, lines.join(random.pick(["\n", "\r\n"])), random.pick(LEVELS));
  });
}

/** The rows put together again: the physical lines. */
function joined(lines: readonly LogLine[]): string[] {
  const physical: string[] = [];
  for (const line of lines) physical[line.number - 1] = (physical[line.number - 1] ?? "") + line.text;
  return physical;
}

describe("rows of one width", () => {
  it("hold every character once, in order", () => {
    repeat(40, (random) => {
      const all = records(random, 12);
      const lines = toLines(all, random.integer(1, 50));
      expect(joined(lines)).toEqual(all.flatMap((one) => one.message.split(/\r?\n/)));
    });
  });

  it("are as many as the width needs, and none is wider", () => {
    repeat(40, (random) => {
      const columns = random.integer(1, 50);
      const all = records(random, 12);
      const rows = all
        .flatMap((one) => one.message.split(/\r?\n/))
        .map((one) => Math.max(1, Math.ceil(one.length / columns)));
      const lines = toLines(all, columns);
      expect(lines).toHaveLength(rows.reduce((sum, count) => sum + count, 0));
      expect(Math.max(...lines.map((line) => line.text.length))).toBeLessThanOrEqual(columns);
    });
  });

  it("carry time and level once a record, and one number a physical line", () => {
    repeat(50, (random) => {
      const all = records(random, 10);
      const lines = toLines(all, random.integer(1, 20));
      expect(lines.filter((line) => line.part === 0).map((line) => line.record)).toEqual(all);
      const numbers = lines.filter((line) => line.from === 0).map((line) => line.number);
      expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    });
  });

  it("need no width: a line is a row", () => {
    const lines = toLines([record(1, "a".repeat(3_999)), record(2, "b")]);
    expect(lines.map((line) => line.text.length)).toEqual([3_999, 1]);
  });

  it.each([
    ["\u001b[1;31mError\u001b[0m: x", "Error: x"],
    ["\u001b[2K\u001b[1Gdone", "done"],
    ["\u001b[?25lhidden\u001b[?25h", "hidden"],
    ["[31m is no escape", "[31m is no escape"],
  ])("leave a terminal's signs out of %j", (message, text) => {
    expect(toLines([record(1, message)])[0]?.text).toBe(text);
  });

  it("cut a line at 4000 characters and say how much is left out", () => {
    const [line] = toLines([record(1, "x".repeat(4_001))]);
    expect(line?.text).toBe(`${"x".repeat(4_000)} … 1 more characters`);
    expect(toLines([record(1, "x".repeat(4_000))])[0]?.text).toBe("x".repeat(4_000));
  });
});

describe("another width", () => {
  it("keeps the row that holds the first character of the old one", () => {
    repeat(40, (random) => {
      const all = records(random, 10);
      const before = toLines(all, random.integer(1, 30));
      const after = toLines(all, random.integer(1, 30));
      const old = random.pick(before);
      const row = after[sameRow(old, after)];
      expect(row?.number).toBe(old.number);
      expect(row?.from).toBeLessThanOrEqual(old.from);
      expect(old.from).toBeLessThan((row?.from ?? 0) + Math.max(1, row?.text.length ?? 0));
    });
  });

  it("finds nothing of what is not loaded any more", () => {
    const [gone] = toLines([record(1, "a")]);
    expect(sameRow(gone && { ...gone, number: 99 }, toLines([record(2, "b")]))).toBe(-1);
  });
});

describe("finding", () => {
  it("finds in wrapped rows as many lines as in whole ones", () => {
    repeat(150, (random) => {
      const all = records(random, 15);
      const sought = text(random, 2).trim();
      if (!sought) return;
      const whole = toLines(all);
      const wrapped = toLines(all, random.integer(2, 12));
      const inWhole = new Set(findMatches(whole, sought).map((index) => whole[index]?.number));
      const inWrapped = new Set(findMatches(wrapped, sought).map((index) => wrapped[index]?.number));
      expect(inWrapped).toEqual(inWhole);
    });
  });

  it("finds what a plain search of each line finds", () => {
    repeat(40, (random) => {
      const lines = toLines(records(random, 15));
      const sought = random.pick(["a", "AB", "c ", "ä", "→"]);
      const matches = lines.flatMap((line, index) =>
        line.text.toLowerCase().includes(sought.trim().toLowerCase()) ? [index] : [],
      );
      expect(findMatches(lines, sought)).toEqual(matches);
    });
  });
});

describe("walking the errors", () => {
  it("visits the head of each error once, in both directions", () => {
    repeat(40, (random) => {
      const lines = toLines(records(random, 20), random.integer(5, 60));
      const heads = lines.flatMap((line, index) => (line.part === 0 && line.record.level >= 40 ? [index] : []));
      const walk = (from: number, step: 1 | -1) => {
        const visited: number[] = [];
        for (let at = nextError(lines, from, step); at >= 0; at = nextError(lines, at, step)) visited.push(at);
        return visited;
      };
      expect(walk(-1, 1)).toEqual(heads);
      expect(walk(lines.length, -1)).toEqual([...heads].reverse());
    });
  });

  it("ends where there is none", () => {
    expect(nextError([], -1, 1)).toBe(-1);
    expect(nextError(toLines([record(1, "fine")]), 0, 1)).toBe(-1);
  });
});

describe("pages", () => {
  const all = Array.from({ length: 60 }, (_, index) => record(index + 1, `line ${index + 1}`));

  it("in whatever order they come, make one log without doubles", () => {
    repeat(40, (random) => {
      const cuts = [0, 13, 20, 37, 52, 60];
      const pages = cuts.slice(1).map((end, index) => {
        const start = cuts[index] as number;
        // Neighbours may overlap, as refetched pages do.
        return all.slice(Math.max(0, start - random.integer(0, 5)), end);
      });
      const requested = [...pages, ...random.some(pages)];
      const loaded = random.shuffle(requested).reduce((now: LogRecord[], page) => merge(now, page), []);
      expect(loaded.map((one) => one.id)).toEqual(all.map((one) => one.id));
    });
  });

  it("that come again carry the newer text", () => {
    const again = record(2, "new");
    expect(merge([record(1, "a"), record(2, "old"), record(3, "c")], [again])[1]).toBe(again);
  });

  it("that are empty change nothing, not even the list", () => {
    const loaded = all.slice(0, 3);
    expect(merge(loaded, [])).toBe(loaded);
    expect(merge([], loaded)).toEqual(loaded);
  });
});

describe("cursors", () => {
  it("are the id in base64 that a URL can carry", () => {
    for (const id of [0, 1, 42, 63, 62_255, Number.MAX_SAFE_INTEGER]) {
      const cursor = cursorOf(id);
      expect(cursor).toMatch(/^[\w-]+$/);
      expect(Buffer.from(cursor, "base64url").toString()).toBe(String(id));
    }
  });
});

it("has a word for each level between the named ones", () => {
  const words = Array.from({ length: 61 }, (_, level) => levelWord(level));
  expect([...new Set(words)]).toEqual(["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"]);
  expect(words.indexOf("INFO")).toBe(20);
  expect(words.indexOf("WARN")).toBe(30);
  expect(words.indexOf("ERROR")).toBe(40);
  expect(words.indexOf("CRITICAL")).toBe(50);
});
