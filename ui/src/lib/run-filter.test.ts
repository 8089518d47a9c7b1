import { describe, expect, it } from "vitest";
import { safePath } from "./paths";
import { parseRunView, printRunView, toRunFilter } from "./run-filter";

const FLOW = "0189f7a0-0000-7000-8000-000000000001";

describe("the runs' view in the URL", () => {
  it.each([[{}], [{ show: "failed" }], [{ q: "etl" }], [{ show: "waiting", q: "etl orders", flow: FLOW }]])(
    "%j survives reading and writing",
    (search) => {
      expect(printRunView(parseRunView(search))).toEqual(search);
    },
  );

  it("falls back where it can't understand", () => {
    expect(parseRunView({ show: "nonsense", q: 7, flow: "1; drop" })).toEqual({ show: "all", q: "", flow: "" });
  });

  it("leaves defaults and outer spaces out", () => {
    expect(printRunView({ show: "all", q: "  x ", flow: "" })).toEqual({ q: "x" });
  });
});

describe("what is asked", () => {
  it("failed means the failed type", () => {
    expect(toRunFilter({ show: "failed", q: "", flow: "" })).toEqual({ stateTypes: ["FAILED"] });
  });

  it("only waiting runs include the future", () => {
    expect(toRunFilter({ show: "waiting", q: "", flow: FLOW })).toMatchObject({ includeFuture: true, flowId: FLOW });
    expect(toRunFilter({ show: "all", q: "", flow: "" })).toEqual({});
  });
});

describe("the way back after signing in", () => {
  it.each(["//elsewhere.example", "/\\elsewhere.example", "https://elsewhere.example", "", undefined])(
    "%s leads to the runs",
    (next) => {
      expect(safePath(next)).toBe("/runs");
    },
  );

  it("keeps a path of ours", () => {
    expect(safePath("/runs/x#L10")).toBe("/runs/x#L10");
  });
});
