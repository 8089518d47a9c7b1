import { describe, expect, it } from "vitest";
import { type Random, repeat } from "../test/random";
import { brief, canStartNow, lookAgainIn, piecesOf } from "./waiting";

const A = { id: "1", name: "calm-otter" };
const B = { id: "2", name: "etl" };

describe("the sentence in pieces", () => {
  it("links the runs that hold a limit, not the label that is called alike", () => {
    const pieces = piecesOf("The limit of label etl is reached: 2 of 2 in use, by calm-otter, etl.", [A, B]);
    expect(pieces).toEqual([
      { text: "The limit of label etl is reached: 2 of 2 in use, by " },
      { text: "calm-otter", id: "1" },
      { text: ", " },
      { text: "etl", id: "2" },
      { text: "." },
    ]);
  });

  it("is short in a table, with the same links", () => {
    const short = brief("The limit of label etl is reached: 2 of 2 in use, by calm-otter, etl.");
    expect(short).toBe("limit of label etl 2/2: calm-otter, etl");
    expect(piecesOf(short, [A, B]).filter((piece) => piece.id)).toEqual([
      { text: "calm-otter", id: "1" },
      { text: "etl", id: "2" },
    ]);
    expect(piecesOf(short, [A, B])[0]).toEqual({ text: "limit of label etl 2/2: " });
    expect(brief("No agent is online.")).toBe("No agent is online.");
  });

  it("links the older run of a schedule", () => {
    const pieces = piecesOf("Run R of the same schedule is still at work.", [{ id: "9", name: "R" }]);
    expect(pieces[1]).toEqual({ text: "R", id: "9" });
    expect(pieces.map((piece) => piece.text).join("")).toBe("Run R of the same schedule is still at work.");
  });

  it("stays whole without holders, and where it names fewer than there are", () => {
    expect(piecesOf("No agent is online.", [])).toEqual([{ text: "No agent is online." }]);
    const pieces = piecesOf("The limit of flow x is reached: 4 of 4 in use, by calm-otter and 3 more.", [A, B]);
    expect(pieces.filter((piece) => piece.id)).toHaveLength(1);
  });
});

describe("asking again", () => {
  const now = Date.UTC(2026, 10, 22, 6);
  const run = (type: string, inMs: number, waitReason: string | null = "Because.") => ({
    state: { type },
    scheduledTime: new Date(now + inMs).toISOString(),
    waitReason,
  });

  it("never for runs whose reason can't change without an event", () => {
    expect(lookAgainIn([run("RUNNING", -1, null), run("PAUSED", -1), run("SUCCESS", -1, null)], now)).toBe(false);
    expect(lookAgainIn([], now)).toBe(false);
  });

  it("when the next one is due, each minute for one that is overdue, each hour at the least", () => {
    expect(lookAgainIn([run("SCHEDULED", 30_000), run("SCHEDULED", 5_000)], now)).toBe(5_500);
    expect(lookAgainIn([run("SCHEDULED", 86_400_000), run("SCHEDULED", -9)], now)).toBe(60_000);
    expect(lookAgainIn([run("SCHEDULED", 86_400_000)], now)).toBe(3_600_000);
  });
});

it("starts only what waits for its time", () => {
  const run = (type: string, name: string, waitCode: string | null) => canStartNow({ state: { type, name }, waitCode });
  expect(run("SCHEDULED", "Scheduled", "not_due")).toBe(true);
  expect(run("SCHEDULED", "AwaitingRetry", "not_due")).toBe(true);
  expect(run("SCHEDULED", "Paused", "not_due")).toBe(false);
  expect(run("SCHEDULED", "Scheduled", "limit")).toBe(false);
  expect(run("RUNNING", "Running", null)).toBe(false);
});

const NAMES = ["etl", "calm-otter", "in use, by x", "limit of label", "Run", "a, b", "3 more", "2 of 2"];

function sentence(random: Random, names: readonly string[]): string {
  const listed = names.join(", ") || "nobody";
  const limit = `limit of ${random.pick(["flow", "label", "task tag"])} ${random.pick(NAMES)}`;
  return random.pick([
    `The ${limit} is reached: 2 of 2 in use, by ${listed}.`,
    `${limit} 2/2: ${listed}`,
    `Run ${names[0] ?? "x"} of the same schedule is still at work.`,
    "No agent with the label etl is online.",
    "",
  ]);
}

describe("any sentence", () => {
  it("says the same in pieces, whatever the holders", () => {
    repeat(300, (random) => {
      const holders = random.some(NAMES).map((name, index) => ({ id: String(index), name }));
      const names = holders.map((holder) => holder.name);
      const whole = sentence(random, names);
      expect(
        piecesOf(whole, holders)
          .map((piece) => piece.text)
          .join(""),
      ).toBe(whole);
    });
  });

  it("links holders in their order, each at most once, by their own names", () => {
    repeat(300, (random) => {
      const holders = random.some(NAMES).map((name, index) => ({ id: String(index), name }));
      const pieces = piecesOf(
        sentence(
          random,
          holders.map((holder) => holder.name),
        ),
        holders,
      ).filter((piece) => piece.id !== undefined);
      expect(pieces).toEqual(holders.slice(0, pieces.length).map(({ id, name }) => ({ text: name, id })));
    });
  });

  it("has no empty pieces, and no holder without a name", () => {
    expect(piecesOf("", [A])).toEqual([]);
    expect(piecesOf("The limit of flow x is reached: 1 of 1 in use, by .", [{ id: "1", name: "" }])).toHaveLength(1);
    expect(piecesOf("Run etl of the same schedule is still at work.", [B]).every((piece) => piece.text)).toBe(true);
  });

  it("that is not about a limit is as short as it is", () => {
    for (const text of ["No agent is online.", "Paused by alice.", "The limit of flow x is reached."])
      expect(brief(text)).toBe(text);
  });
});

describe("when a run may start by hand", () => {
  it.each(["PENDING", "RUNNING", "PAUSED", "SUCCESS", "FAILED", "CANCELLED"])("never once it is %s", (type) => {
    expect(canStartNow({ state: { type, name: "Scheduled" }, waitCode: "not_due" })).toBe(false);
  });

  it.each(["limit", "no_agent", "held", "maintenance", null])("never while it waits for %s", (waitCode) => {
    expect(canStartNow({ state: { type: "SCHEDULED", name: "Scheduled" }, waitCode })).toBe(false);
  });
});

it("asks again a moment after a run is due, never before", () => {
  const now = Date.UTC(2026, 10, 22, 6);
  repeat(200, (random) => {
    const runs = Array.from({ length: random.integer(1, 5) }, () => ({
      state: { type: "SCHEDULED" },
      scheduledTime: new Date(now + random.integer(1, 3_000_000)).toISOString(),
      waitReason: "Because.",
    }));
    const soonest = Math.min(...runs.map((run) => Date.parse(run.scheduledTime)));
    expect(now + Number(lookAgainIn(runs, now))).toBe(soonest + 500);
  });
});
