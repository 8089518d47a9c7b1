import { describe, expect, it } from "vitest";
import { belongs, type ListFilter, type ListPage, type PatchRow, patchedList, patchedWithin } from "./patches";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const NOBODY: ReadonlySet<string> = new Set();

function row(id: string, minute: number, type = "SUCCESS", version = 1): PatchRow {
  const scheduledTime = new Date(NOW - minute * 60_000).toISOString();
  return { id, state: { type, name: type, version }, scheduledTime, attempt: 1 };
}

function page(items: PatchRow[], next: string | null = null, total = items.length): ListPage<PatchRow> {
  return { items, next, total, totalCapped: false };
}

function news(...rows: PatchRow[]) {
  return { rows: new Map(rows.map((one) => [one.id, one])), gone: NOBODY };
}

const idsOf = (pages: ListPage<PatchRow>[]) => pages.flatMap(({ items }) => items.map(({ id }) => id));
const total = (pages: ListPage<PatchRow>[]) => pages[0]?.total;

describe("a list of runs", () => {
  const list = [page([row("d", 1), row("c", 2)], "2", 4), page([row("b", 3), row("a", 4)])];

  it("shows what is new of a run in its place, and leaves all others as they are", () => {
    const { pages, isUnsure } = patchedList(list, {}, news(row("b", 3, "FAILED", 2)), NOW);
    expect(idsOf(pages)).toEqual(["d", "c", "b", "a"]);
    expect(pages[1]?.items[0]?.state.type).toBe("FAILED");
    expect(pages[0]).toBe(list[0]);
    expect(isUnsure).toBe(false);
  });

  it("is not changed by a row that is older than what it shows", () => {
    const { pages } = patchedList([page([row("a", 1, "SUCCESS", 5)])], {}, news(row("a", 1, "RUNNING", 4)), NOW);
    expect(pages[0]?.items[0]?.state.type).toBe("SUCCESS");
  });

  it("takes in a new run where it is due, once", () => {
    const first = patchedList(list, {}, news(row("new", 2.5)), NOW).pages;
    const again = patchedList(first, {}, news(row("new", 2.5)), NOW).pages;
    for (const pages of [first, again]) {
      expect(idsOf(pages)).toEqual(["d", "c", "new", "b", "a"]);
      expect(total(pages)).toBe(5);
    }
  });

  it("leaves out what is due beyond the runs that are loaded, and what is only planned", () => {
    const open = [page([row("d", 1), row("c", 2)], "2", 4)];
    const planned = { ...row("later", -60, "SCHEDULED"), attempt: 0 };
    expect(patchedList(open, {}, news(row("old", 9), planned), NOW).pages).toBe(open);
  });

  it("loses a run that was deleted, or that has left the state it shows", () => {
    const { pages } = patchedList(list, {}, { rows: new Map(), gone: new Set(["c"]) }, NOW);
    expect(idsOf(pages)).toEqual(["d", "b", "a"]);
    expect(total(pages)).toBe(3);
    const running = { q: "state:running,cancelling" };
    const ended = patchedList([page([row("a", 1, "RUNNING")])], running, news(row("a", 1, "SUCCESS", 2)), NOW);
    expect(ended.pages[0]).toMatchObject({ items: [], total: 0 });
  });

  it("is the same whatever the order in which the news of different runs arrive, and however they are joined", () => {
    const told = [row("x", 2.2), row("c", 2, "FAILED", 2), row("y", 0.5, "RUNNING"), row("a", 4, "SUCCESS", 3)];
    const oneByOne = (rows: PatchRow[]) => rows.reduce((at, one) => patchedList(at, {}, news(one), NOW).pages, list);
    const once = patchedList(list, {}, news(...told), NOW).pages;
    for (const rows of [told, [...told].reverse(), [...told, ...told]]) expect(oneByOne(rows)).toEqual(once);
  });

  it("asks the server when only that knows: a new run, or a known one in another state", () => {
    const etl = { q: "flow:etl" };
    expect(patchedList(list, etl, news(row("new", 0)), NOW)).toEqual({ pages: list, isUnsure: true });
    expect(patchedList(list, etl, news(row("c", 2, "FAILED", 2)), NOW).isUnsure).toBe(true);
    expect(patchedList(list, etl, news(row("c", 2, "SUCCESS", 1)), NOW).isUnsure).toBe(false);
  });
});

it.each([
  [{}, "SUCCESS", true],
  [{ q: "state:failed" }, "FAILED", true],
  [{ q: "state:failed" }, "SUCCESS", false],
  [{ q: "state:failed", sort: "END_TIME_DESC" }, "FAILED", null],
  [{ q: "state:late" }, "SCHEDULED", null],
  [{ flowId: "1" }, "SUCCESS", null],
])("whether a run belongs to %o in state %s: %s", (filter, type, is) => {
  expect(belongs(filter as ListFilter, row("a", 1, type), NOW)).toBe(is);
});

describe("a page of cards", () => {
  const home = {
    running: { items: [{ id: "a", state: { type: "RUNNING", name: "Running" }, agent: null, flow: { id: "f" } }] },
    flows: {
      items: [{ id: "f", name: "etl", recentRuns: [{ id: "a", state: { type: "RUNNING", name: "Running" } }] }],
    },
  };

  it("shows what is new of each run wherever it is, as far as the card has it", () => {
    const told = { ...row("a", 1, "SUCCESS", 2), agent: { name: "edge" }, taskCounts: { total: 3 } };
    const after = patchedWithin(home, new Map([["a", told]]));
    const state = { type: "SUCCESS", name: "SUCCESS" };
    expect(after.running.items[0]).toEqual({ id: "a", state, agent: { name: "edge" }, flow: { id: "f" } });
    expect(after.flows.items[0]?.recentRuns[0]).toEqual({ id: "a", state });
  });

  it("stays the same object where nothing is new", () => {
    expect(patchedWithin(home, new Map([["other", row("other", 1)]]))).toBe(home);
  });
});
