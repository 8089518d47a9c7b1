import { describe, expect, it } from "vitest";
import { type Random, repeat } from "../test/random";
import { isUuid, parseRunView, printRunView, type RunView, SHOWS, toRunFilter, unknownInUrl } from "./run-filter";

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

function view(random: Random): RunView {
  return {
    show: random.pick(SHOWS).id,
    q: random.pick(["", "etl", "a b", "50 %", "ä&=?#", "x".repeat(200)]),
    flow: random.pick(["", FLOW, FLOW.toUpperCase()]),
  };
}

describe("a view and its address", () => {
  it("are the same thing, through a real URL too", () => {
    repeat(200, (random) => {
      const original = view(random);
      const address = new URL(`https://appliance.example/runs?${new URLSearchParams(printRunView(original))}`);
      expect(parseRunView(Object.fromEntries(address.searchParams))).toEqual(original);
    });
  });

  it("of the default is empty, and only of the default", () => {
    expect(printRunView({ show: "all", q: "", flow: "" })).toEqual({});
    for (const { id } of SHOWS.filter((show) => show.id !== "all"))
      expect(printRunView({ show: id, q: "", flow: "" })).toEqual({ show: id });
  });

  it.each([
    [{ show: ["failed"] }],
    [{ show: "FAILED" }],
    [{ show: null }],
    [{ q: { $ne: 1 } }],
    [{ flow: `${FLOW}0` }],
    [{ flow: ` ${FLOW}` }],
    [{ unknown: "x" }],
  ])("%j from an old link or by hand is the default", (search) => {
    expect(parseRunView(search)).toEqual({ show: "all", q: "", flow: "" });
  });

  it("takes no text that is too long for a question", () => {
    expect(parseRunView({ q: "x".repeat(1_000) }).q).toHaveLength(200);
  });
});

describe("what a URL asks for that does not exist", () => {
  it.each([
    [{ show: "failde" }, "There is no view “failde”; the views are all, failed, running, waiting."],
    [{ show: "FAILED" }, "There is no view “FAILED”; the views are all, failed, running, waiting."],
    [{ flow: "etl" }, "“etl” is not the id of a flow."],
    [{ show: "failed", flow: `${FLOW}0` }, `“${FLOW}0” is not the id of a flow.`],
  ])("%j is said", (search, sentence) => {
    expect(unknownInUrl(search)).toBe(sentence);
  });

  it("is never in an address of the UI's own", () => {
    repeat(200, (random) => expect(unknownInUrl(printRunView(view(random)))).toBeNull());
    expect(unknownInUrl({ show: "all", flow: "", q: "x", other: 1 })).toBeNull();
  });
});

describe("the states that a view asks for", () => {
  const types = (show: RunView["show"]) => toRunFilter({ show, q: "", flow: "" }).stateTypes ?? [];

  it("are in one view at most", () => {
    const listed = SHOWS.flatMap((show) => types(show.id));
    expect(new Set(listed).size).toBe(listed.length);
  });

  it("are all of those that have not ended well", () => {
    const listed = SHOWS.flatMap((show) => types(show.id)).sort();
    expect(listed).toEqual(["CANCELLING", "FAILED", "PAUSED", "PENDING", "RUNNING", "SCHEDULED"]);
  });

  it("are not restricted where all are shown", () => {
    expect(toRunFilter({ show: "all", q: " ", flow: "" })).toEqual({});
  });

  it("stand beside text and flow", () => {
    expect(toRunFilter({ show: "running", q: " etl ", flow: FLOW })).toEqual({
      stateTypes: ["RUNNING", "CANCELLING"],
      text: "etl",
      flowId: FLOW,
    });
  });
});

it("knows an id when it is pasted", () => {
  expect([FLOW, ` ${FLOW}\n`, FLOW.toUpperCase()].every(isUuid)).toBe(true);
  expect(["", "etl", FLOW.slice(1), FLOW.replace("-", ""), `${FLOW} x`].some(isUuid)).toBe(false);
});
