import { describe, expect, it } from "vitest";
import { groupsOf, timelineRows } from "../test/builders";
import { type Random, repeat } from "../test/random";
import { FAMILIES, lookOf } from "./states";
import { childrenOf, ofFamily, type TaskGroup, type TaskRun, withoutPlumbing } from "./task-groups";
import { parseSelection, selectionOf } from "./task-selection";
import { domainOf, place, ticksOf } from "./timeline";

const EPOCH = Date.UTC(2026, 10, 22, 6);
const NOW = EPOCH + 600_000;
const SLUGS = ["extract", "transform", "load", "report"];
const STATES = [
  { type: "SUCCESS", name: "Success" },
  { type: "SUCCESS", name: "Cached" },
  { type: "FAILED", name: "Failed" },
  { type: "FAILED", name: "TriggerFailed" },
  { type: "RUNNING", name: "Running" },
  { type: "SCHEDULED", name: "Retrying" },
  { type: "PENDING", name: "Pending" },
  { type: "PAUSED", name: "Paused" },
  { type: "CANCELLED", name: "Cancelled" },
];

const iso = (at: number) => new Date(at).toISOString();

function taskRun(random: Random, taskSlug: string, mapIndex: number): TaskRun {
  const state = random.pick(STATES);
  const created = EPOCH + random.integer(0, 100_000);
  const started =
    state.type === "PENDING" || state.name === "TriggerFailed" ? null : created + random.integer(0, 50_000);
  const isOver = ["SUCCESS", "FAILED", "CANCELLED"].includes(state.type);
  const ended = started !== null && isOver ? started + random.integer(0, 200_000) : null;
  const attempts = [];
  if (started !== null && random.boolean()) {
    const middle = started + Math.floor(((ended ?? NOW) - started) / 2);
    attempts.push({ start: iso(started), end: iso(middle), state: "Failed", type: "FAILED" });
    attempts.push({ start: iso(middle), end: ended === null ? null : iso(ended), state: state.name, type: state.type });
  }
  return {
    id: `${taskSlug}.${mapIndex}`,
    taskSlug,
    mapIndex,
    name: taskSlug,
    state: { ...state, message: "", at: iso(ended ?? started ?? created) },
    runCount: 1,
    childRunId: null,
    startTime: started === null ? null : iso(started),
    endTime: ended === null ? null : iso(ended),
    created: iso(created),
    attempts,
  };
}

function taskRuns(random: Random): TaskRun[] {
  const runs = SLUGS.flatMap((slug) => {
    const children = random.boolean() ? random.integer(1, 6) : 0;
    return [-1, ...Array.from({ length: children }, (_, index) => index)].map((index) => taskRun(random, slug, index));
  });
  return random.shuffle(runs);
}

describe("rows", () => {
  it("show each task once, in the flow's order, whatever order the runs come in", () => {
    repeat(40, (random) => {
      const rows = timelineRows(taskRuns(random), SLUGS, new Set(), NOW);
      expect(rows.map((row) => row.label)).toEqual(SLUGS);
    });
  });

  it("count every child in exactly one family", () => {
    repeat(40, (random) => {
      const runs = taskRuns(random);
      for (const row of timelineRows(runs, SLUGS, new Set(), NOW)) {
        const children = runs.filter((run) => run.taskSlug === row.label && run.mapIndex >= 0);
        expect(row.children).toBe(children.length);
        expect(Object.values(row.counts).reduce((sum, count) => sum + count, 0)).toBe(children.length);
      }
    });
  });

  it("unfolded, show each task run once, children under their task", () => {
    repeat(40, (random) => {
      const runs = taskRuns(random);
      const rows = timelineRows(runs, SLUGS, new Set(SLUGS), NOW);
      expect(rows).toHaveLength(runs.length);
      expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
    });
  });

  it("draw segments in order, without overlap, none backwards", () => {
    repeat(40, (random) => {
      for (const row of timelineRows(taskRuns(random), SLUGS, new Set(SLUGS), NOW)) {
        for (const [index, segment] of row.segments.entries()) {
          expect(segment.end).toBeGreaterThanOrEqual(segment.start);
          expect(segment.start).toBeGreaterThanOrEqual(row.segments[index - 1]?.end ?? 0);
        }
      }
    });
  });

  it("leave open only what has not ended, and only at its end", () => {
    repeat(40, (random) => {
      for (const row of timelineRows(taskRuns(random), SLUGS, new Set(SLUGS), NOW)) {
        const open = row.segments.filter((segment) => segment.open);
        expect(open.length).toBeLessThanOrEqual(1);
        if (open[0]) expect(open[0]).toBe(row.segments.at(-1));
        if (row.depth === 1 || row.children === 0)
          expect(open.length === 1 && ["SUCCESS", "FAILED", "CANCELLED"].includes(row.run?.state.type ?? "")).toBe(
            false,
          );
      }
    });
  });

  it("lie within the axis; a wait before the first start of all may be cut", () => {
    repeat(40, (random) => {
      const runs = taskRuns(random);
      const [start, end] = domainOf(iso(EPOCH), null, groupsOf(runs), NOW);
      for (const row of timelineRows(runs, SLUGS, new Set(SLUGS), NOW)) {
        for (const segment of row.segments.filter((one) => one.kind === "attempt")) {
          expect(segment.start).toBeGreaterThanOrEqual(start);
          expect(segment.end).toBeLessThanOrEqual(end);
        }
      }
    });
  });

  it("draw density between 0 and 1, with a busiest moment", () => {
    repeat(40, (random) => {
      for (const row of timelineRows(taskRuns(random), SLUGS, new Set(), NOW)) {
        if (row.density.length === 0) continue;
        expect(Math.max(...row.density)).toBe(1);
        expect(Math.min(...row.density)).toBeGreaterThanOrEqual(0);
      }
    });
  });

  it("put tasks that the flow doesn't name last, by name", () => {
    repeat(50, (random) => {
      const runs = taskRuns(random);
      const rows = timelineRows(runs, ["report"], new Set(), NOW);
      expect(rows.map((row) => row.label)).toEqual(["report", "extract", "load", "transform"]);
    });
  });
});

describe("the tasks of one state", () => {
  it("are each in exactly one family", () => {
    repeat(40, (random) => {
      const groups = groupsOf(taskRuns(random));
      const sum = (some: readonly TaskGroup[]) =>
        some.reduce((all, group) => all + (group.states.length > 0 ? childrenOf(group) : 1), 0);
      expect(FAMILIES.reduce((all, family) => all + sum(ofFamily(groups, family)), 0)).toBe(sum(groups));
      for (const family of FAMILIES)
        for (const { own, states } of ofFamily(groups, family))
          for (const state of states.length > 0 ? states : [(own as TaskRun).state])
            expect(lookOf(state).family).toBe(family);
    });
  });
});

describe("the axis", () => {
  it("has a few ticks at equal distances, all within it", () => {
    repeat(300, (random) => {
      const start = EPOCH + random.integer(0, 86_400_000);
      const end = start + Math.ceil(10 ** (2 + random.next() * 8));
      const most = random.integer(2, 8);
      const ticks = ticksOf([start, end], most);
      expect(ticks.length).toBeLessThanOrEqual(most + 1);
      for (const [index, { at, step }] of ticks.entries()) {
        expect(at).toBeGreaterThanOrEqual(start);
        expect(at).toBeLessThanOrEqual(end);
        if (index > 0) expect(at - (ticks[index - 1]?.at ?? 0)).toBe(step);
        if (step >= 1_000) expect(at % step).toBe(0);
      }
    });
  });

  it("is never empty, not even for a run that took no time", () => {
    expect(domainOf(iso(EPOCH), iso(EPOCH), [], NOW)).toEqual([EPOCH, EPOCH + 100]);
  });

  it("goes on until now as long as the run has not ended", () => {
    expect(domainOf(iso(EPOCH), null, [], NOW)).toEqual([EPOCH, NOW]);
    expect(domainOf(iso(EPOCH), iso(EPOCH + 5_000), [], NOW)).toEqual([EPOCH, EPOCH + 5_000]);
  });
});

describe("a bar's place", () => {
  it("never leaves the picture", () => {
    repeat(300, (random) => {
      const from = random.integer(0, 1_000);
      const to = from + random.integer(1, 1_000);
      const start = random.integer(-500, 2_500);
      const { left, width } = place(start, start + random.integer(0, 2_000), [from, to]);
      expect(left).toBeGreaterThanOrEqual(0);
      expect(width).toBeGreaterThanOrEqual(0);
      expect(left + width).toBeLessThanOrEqual(100 + 1e-9);
    });
  });

  it("is to scale inside of it", () => {
    expect(place(25, 75, [0, 100])).toEqual({ left: 25, width: 50 });
    expect(place(1_500, 1_750, [1_000, 2_000])).toEqual({ left: 50, width: 25 });
  });
});

describe("a selection in the address", () => {
  it("is read as it was written", () => {
    repeat(40, (random) => {
      const taskSlug = random.pick(["load", "load-1", "a.b", "x[y", "ünder"]);
      const mapIndex = random.boolean() ? random.integer(0, 10_000) : -1;
      expect(parseSelection(selectionOf(taskSlug, mapIndex))).toEqual({
        taskSlug,
        mapIndex: mapIndex < 0 ? null : mapIndex,
      });
    });
  });

  it.each([
    ["extract[]", { taskSlug: "extract[]", mapIndex: null }],
    ["extract[x]", { taskSlug: "extract[x]", mapIndex: null }],
    ["[3]", { taskSlug: "[3]", mapIndex: null }],
  ])("%s has no index", (text, selection) => {
    expect(parseSelection(text)).toEqual(selection);
  });
});

describe("plumbing", () => {
  it("leaves out only tasks that the SDK made and that did not fail", () => {
    repeat(40, (random) => {
      const groups = groupsOf(taskRuns(random));
      const generated = random.some(SLUGS);
      const left = withoutPlumbing(
        groups,
        SLUGS.map((slug) => ({ slug, autoGenerated: generated.includes(slug) })),
      );
      for (const group of groups) {
        const hasFailed = [group.own?.state, ...group.states].some((state) => state?.type === "FAILED");
        expect(left.includes(group)).toBe(!generated.includes(group.taskSlug) || hasFailed);
      }
    });
  });
});
