import { describe, expect, it } from "vitest";
import { BULK, filterFor, kindOf, runsIn } from "./bulk";

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
  const cancel = ["SCHEDULED", "PENDING", "PAUSED", "RUNNING"];

  it("are asked for with the query, which the states narrow", () => {
    expect(filterFor(kindOf("cancel"), { q: "etl" }, SINCE)).toEqual({ stateTypes: cancel, q: "etl" });
  });

  it("don't reach into the future, which a list without a query leaves out", () => {
    expect(filterFor(kindOf("cancel"), {}, SINCE)).toEqual({ stateTypes: cancel, until: SINCE });
  });
});

it("counts in words", () => {
  expect([runsIn(1), runsIn(12), runsIn(10_000, true)]).toEqual(["1 run", "12 runs", "10,000+ runs"]);
});

const TYPES = ["SCHEDULED", "PENDING", "PAUSED", "RUNNING", "CANCELLING", "SUCCESS", "FAILED", "CANCELLED"];

describe("each action", () => {
  it.each(BULK)("$action is asked of exactly the states in which some run can take it", (kind) => {
    const possible = TYPES.filter((type) =>
      [0, 1].some((failed) =>
        // A success with failed tasks can be restarted one by one; of a whole list it is not asked.
        kind.isValid(run(type, "", { waitCode: "not_due", taskCounts: { failed: type === "SUCCESS" ? 0 : failed } })),
      ),
    );
    expect([...kind.types].sort()).toEqual(possible.sort());
  });

  it.each(BULK)("$action differs from the others in every word", (kind) => {
    for (const other of BULK.filter((one) => one !== kind)) {
      expect(kind.permission).not.toBe(other.permission);
      expect(kind.button("3")).not.toBe(other.button("3"));
      expect(kind.title("3 runs")).not.toBe(other.title("3 runs"));
      expect(kind.confirm).not.toBe(other.confirm);
      expect(kind.done("3 runs")).not.toBe(other.done("3 runs"));
    }
  });

  it.each(BULK)("$action says to how many, before and after", (kind) => {
    expect(kind.button("1,234")).toContain("1,234");
    expect(kind.title("1,234 runs")).toContain("1,234 runs");
    expect(kind.done("1,234 runs")).toContain("1,234 runs");
  });

  it("is found by its name", () => {
    for (const kind of BULK) expect(kindOf(kind.action)).toBe(kind);
  });

  it("that takes results away says so", () => {
    expect(kindOf("delete").explanation).toMatch(/can't be undone/);
  });
});

describe("a filter of runs for an action", () => {
  it("leaves the action's own list of states alone", () => {
    const before = [...kindOf("mark").types];
    filterFor(kindOf("mark"), {}, SINCE).stateTypes.push("CHANGED");
    expect(kindOf("mark").types).toEqual(before);
  });
});
