import { describe, expect, it } from "vitest";
import {
  formerQuery,
  hidesSubRuns,
  isUuid,
  parseRunView,
  printRunView,
  SHOWS,
  showOf,
  toRunFilter,
  withRange,
  withShow,
  withSubRuns,
} from "./run-filter";

const FLOW = "01a2342a-4894-727e-a11b-64a650db1104";

describe("the address of the list", () => {
  it.each([
    [{}],
    [{ q: "state:failed" }],
    [{ q: 'etl error:"HTTP 503"', sort: "-end_time" }],
    [{ q: "state:waiting" }],
    [{ q: "state:waiting", sort: "-scheduled_time" }],
  ])("%j is read and written without a loss", (search) => {
    expect(printRunView(parseRunView(search))).toEqual(search);
  });

  it("falls back to the usual order, which for waiting runs is what is needed soonest", () => {
    expect(parseRunView({ sort: "name" })).toEqual({ q: "", sort: "-scheduled_time" });
    expect(parseRunView({ q: "flow:etl state:waiting" }).sort).toBe("waiting");
    expect(parseRunView({ q: 7, sort: "toString" })).toEqual({ q: "", sort: "-scheduled_time" });
    expect(parseRunView({ q: "x".repeat(1_000) }).q).toHaveLength(500);
  });

  it("of an earlier release becomes a query", () => {
    expect(formerQuery({ q: "etl" })).toBeNull();
    expect(formerQuery({ show: "failed", q: "etl" })).toBe("state:failed etl");
    expect(formerQuery({ show: "all", flow: FLOW })).toBe(`flow:${FLOW}`);
    expect(formerQuery({ show: "failde" })).toBe("state:failde"); // which the server refuses in words
  });
});

describe("quick choices", () => {
  it.each(SHOWS)("$id replaces the states and keeps all else", ({ id }) => {
    const q = withShow("state:late flow:etl is:planned otter", id);
    expect(showOf(q)).toBe(id);
    expect(q).toContain("flow:etl otter");
    expect(withShow(q, "all")).toBe("flow:etl otter");
  });

  it("are none of other states", () => {
    expect(showOf("state:cancelled")).toBeNull();
    expect(showOf("etl")).toBe("all");
  });
});

it("writes a range of time as tokens", () => {
  const q = withRange("since:7d state:failed", "2026-11-22T06:00:00.000Z", "2026-11-22T08:30:00.000Z");
  expect(q).toBe("state:failed since:2026-11-22T06:00Z until:2026-11-22T08:30Z");
});

it("asks for everything without a query", () => {
  expect(toRunFilter({ q: "" })).toEqual({});
  expect(toRunFilter({ q: "etl" })).toEqual({ q: "etl" });
});

it("knows an id when it is pasted", () => {
  const id = "01a2342a-4894-727e-a11b-64a650db1104";
  expect([id, ` ${id}\n`, id.toUpperCase()].every(isUuid)).toBe(true);
  expect(["", "etl", id.slice(1), `${id} x`].some(isUuid)).toBe(false);
});

describe("sub-runs", () => {
  it("stay alone in the list whatever state is chosen", () => {
    expect(showOf("is:subrun")).toBe("all");
    expect(withShow("is:subrun calm", "failed")).toBe("calm state:failed is:subrun");
  });

  it("are in a list unless its query leaves them out", () => {
    expect(hidesSubRuns("state:failed calm")).toBe(false);
    expect(hidesSubRuns("state:failed parent:none")).toBe(true);
    expect(hidesSubRuns("parent:0198f0c2-8d3a-7c11-9d43-0a4f5e6b7c8d")).toBeNull();
    expect(hidesSubRuns("is:subrun")).toBeNull();
  });

  it("are left out and shown again without other changes", () => {
    expect(withSubRuns("state:failed calm", false)).toBe("state:failed calm parent:none");
    expect(withSubRuns("state:failed parent:none calm", true)).toBe("state:failed calm");
  });
});
