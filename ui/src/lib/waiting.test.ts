import { describe, expect, it } from "vitest";
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

  it("never for runs that don't wait for something that can change by itself", () => {
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
