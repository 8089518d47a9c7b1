import { describe, expect, it } from "vitest";
import { BULK, filterFor, kindOf, runsIn } from "./bulk";
import { toRunFilter } from "./run-filter";

const SINCE = "2026-11-23T06:00:00.000Z";
const run = (type: string, name = "", more: object = {}) => ({
  id: "1",
  state: { type, name: name || type },
  attempt: 1,
  taskCounts: { failed: 0 },
  waitCode: null,
  ...more,
});
const validFor = (one: ReturnType<typeof run>) => BULK.filter((kind) => kind.isValid(one)).map((kind) => kind.action);

describe("what can be done to a run", () => {
  it.each([
    [run("FAILED"), ["restart", "mark", "delete"]],
    [run("CANCELLED", "Skipped", { attempt: 0 }), ["mark", "delete"]],
    [run("SUCCESS"), ["mark", "delete"]],
    [run("RUNNING"), ["cancel"]],
    [run("CANCELLING"), []],
    [run("PENDING"), ["cancel"]],
    [run("PAUSED"), ["cancel", "mark", "delete"]],
    [run("SCHEDULED", "Scheduled", { waitCode: "not_due" }), ["start_now", "cancel", "mark", "delete"]],
    [run("SCHEDULED", "Scheduled", { waitCode: "limit" }), ["cancel", "mark", "delete"]],
  ])("%#", (one, actions) => {
    expect(validFor(one)).toEqual(actions);
  });
});

describe("all that match", () => {
  it("narrows a list to the states that can take it, and never reaches into the future that the list leaves out", () => {
    const all = toRunFilter({ show: "all", q: "etl", flow: "" });
    expect(filterFor(kindOf("cancel"), all, SINCE)).toEqual({
      stateTypes: ["SCHEDULED", "PENDING", "PAUSED", "RUNNING"],
      text: "etl",
      until: SINCE,
    });
  });

  it("takes planned runs where the list shows them", () => {
    const waiting = toRunFilter({ show: "waiting", q: "", flow: "f" });
    expect(filterFor(kindOf("start_now"), waiting, SINCE)).toEqual({ stateTypes: ["SCHEDULED"], flowId: "f" });
  });

  it("is nothing where no state fits", () => {
    expect(filterFor(kindOf("start_now"), toRunFilter({ show: "failed", q: "", flow: "" }), SINCE)).toBeNull();
  });
});

it("counts in words", () => {
  expect([runsIn(1), runsIn(12), runsIn(10_000, true)]).toEqual(["1 run", "12 runs", "10,000+ runs"]);
});
