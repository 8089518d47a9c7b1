import { describe, expect, it } from "vitest";
import {
  blocksOf,
  kindWord,
  LIMIT_KINDS,
  type LimitKind,
  limitInWords,
  MOST_SLOTS,
  readSlots,
  usageInWords,
} from "./limits";

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
    [2, 4, "4 of 2 in use; nothing starts until usage drops below the limit"],
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

describe("blocks", () => {
  const every = Array.from({ length: 27 }, (_, slots) =>
    Array.from({ length: 27 }, (_, used) => ({ slots, used })),
  ).flat();

  it("are as many as there are slots, or runs where more run than may", () => {
    for (const limit of every) {
      const count = Math.max(limit.slots, limit.used);
      expect(blocksOf(limit)?.length ?? 0).toBe(count > 24 ? 0 : count);
    }
  });

  it("count what is used, free and too much", () => {
    for (const limit of every) {
      const blocks = blocksOf(limit);
      if (!blocks) continue;
      const count = (kind: string) => blocks.filter((block) => block === kind).length;
      expect(count("used")).toBe(Math.min(limit.slots, limit.used));
      expect(count("free")).toBe(Math.max(0, limit.slots - limit.used));
      expect(count("over")).toBe(Math.max(0, limit.used - limit.slots));
    }
  });

  it("come in the order used, free or over", () => {
    for (const limit of every) {
      const order = blocksOf(limit)?.map((block) => ["used", "free", "over"].indexOf(block)) ?? [];
      expect(order).toEqual([...order].sort());
    }
  });

  it("say the same as the words", () => {
    for (const limit of every) {
      const words = usageInWords(limit);
      expect(words.startsWith("paused")).toBe(limit.slots === 0);
      if (limit.slots > 0) expect(words).toMatch(new RegExp(`^${limit.used} of ${limit.slots} in use`));
      expect(words.includes(";")).toBe(limit.slots > 0 && limit.used > limit.slots);
    }
  });
});

describe("the largest limit", () => {
  it("is taken, one more is not", () => {
    expect(readSlots(String(MOST_SLOTS))).toEqual({ slots: MOST_SLOTS });
    expect(readSlots(String(MOST_SLOTS + 1))).toEqual({ error: "Enter 100,000 or less." });
  });

  it("is a number however long the text is", () => {
    expect(readSlots("9".repeat(400))).toHaveProperty("error");
  });
});

it("of starts says its period", () => {
  expect(limitInWords({ slots: 60, per: 60 })).toBe("at most 60 starts in any minute");
  expect(limitInWords({ slots: 1, per: 90 })).toBe("at most 1 start in any 90 s");
  expect(limitInWords({ slots: 0, per: 1 })).toBe("paused");
  expect(limitInWords({ slots: 4, per: null })).toBe("at most 4 at once");
  expect(usageInWords({ slots: 60, used: 1, per: 3600 })).toBe("1 start in the last hour");
  expect(usageInWords({ slots: 0, used: 0, per: 3600 })).toBe("paused: nothing starts");
});

it("has a word and a help for each kind, and the kind itself for one that is not known", () => {
  for (const { id, word, help } of LIMIT_KINDS) {
    expect(kindWord(id)).toBe(word);
    expect(help).toMatch(/\.$/);
  }
  expect(kindWord("agent" as LimitKind)).toBe("agent");
});
