import { expect, it } from "vitest";
import { repeat } from "../test/random";
import { fitOf, ranked } from "./fuzzy";

const LABELS = ["Stop all runs…", "Runs", "Limits", "Run etl-orders…", "etl-orders", "Go to runs"];

it.each([
  ["runs", ["Runs", "Go to runs", "Stop all runs…"]],
  ["stop", ["Stop all runs…"]],
  ["all stop", ["Stop all runs…"]],
  ["ord", ["etl-orders", "Run etl-orders…"]],
  ["gtr", ["Go to runs"]],
  ["eo", ["etl-orders", "Run etl-orders…"]],
  ["xyz", []],
])("%j gives the best first", (words, expected) => {
  expect(ranked(LABELS, words, (label) => label)).toEqual(expected);
});

it("without words, everything stays in its order", () => {
  expect(ranked(LABELS, " ", (label) => label)).toEqual(LABELS);
});

it("letters from the middle of words fit nothing", () => {
  expect(fitOf("tlr", "etl-orders")).toBeNull();
});

it("every part of a label fits it, and none better than its beginning", () => {
  repeat(300, (random) => {
    const label = Array.from({ length: random.integer(1, 14) }, () => random.pick([..."abc- "])).join("");
    const from = random.integer(0, label.length - 1);
    const part = label.slice(from, random.integer(from + 1, label.length));
    const score = fitOf(part, label);
    expect(score).not.toBeNull();
    if (/^\S+$/.test(part) && /^\S+$/.test(label.slice(0, part.length)))
      expect(fitOf(label.slice(0, part.length), label)).toBeGreaterThanOrEqual(score ?? 0);
  });
});
