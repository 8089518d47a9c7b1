import { describe, expect, it } from "vitest";
import { schedule } from "../test/builders";
import { parseJson, printJson } from "./json";
import { changesOf, editInWords, textsOf } from "./schedule-form";

describe("the form of a schedule", () => {
  it.each([
    schedule(),
    schedule({ kind: "interval", document: { kind: "interval", seconds: 0.5e3, anchor: "2026-01-01T00:00:00Z" } }),
    schedule({ kind: "rrule", document: { kind: "rrule", rrule: "FREQ=DAILY" }, labels: ["a"], catchUpWindow: 90 }),
    schedule({ document: { kind: "cron", cron: "0 6 13 * 5", day_or: false }, parameters: { n: null } }),
  ])("changes nothing if nothing was changed (%#)", (one) => {
    expect(changesOf(one, textsOf(one))).toEqual({});
  });

  it("keeps every digit of a parameter", () => {
    const one = schedule({ parameters: parseJson('{"n": 9007199254740993, "x": 1.0}') as Record<string, unknown> });
    const texts = textsOf(one);
    const changes = changesOf(one, { ...texts, parameters: texts.parameters.replace("1.0", "2.0") });
    expect(printJson(changes?.parameters)).toBe('{"n":9007199254740993,"x":2.0}');
  });

  it("combines the day fields either way again", () => {
    const one = schedule({ document: { kind: "cron", cron: "0 6 13 * 5", day_or: false } });
    expect(changesOf(one, { ...textsOf(one), days: "either" })?.document).toMatchObject({ day_or: true });
    const other = schedule();
    expect(changesOf(other, { ...textsOf(other), days: "both" })?.document).toMatchObject({ day_or: false });
  });
});

describe("an edit in words", () => {
  it.each([
    ["cron", "0 5 * * *", "0 2 * * *", "the cron expression is 0 5 * * *; the code says 0 2 * * *"],
    ["parameters.n", 2, null, "parameter n is 2; the code says nothing"],
    ["labels.a.b", null, true, "label a.b was removed"],
    ["catch_up_window", null, 60, "the catch-up window in seconds is nothing; the code says 60"],
    ["not_filters", [], [1], "not filters is []; the code says [1]"],
  ])("%s", (field, value, code, words) => {
    expect(editInWords({ field, value, code })).toBe(words);
  });
});
