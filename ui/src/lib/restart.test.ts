import { describe, expect, it } from "vitest";
import { type Random, repeat } from "../test/random";
import { againInWords, type Edge, toRunAgain } from "./restart";

const edge = (upstream: string, downstream: string, mapped = false, flattened = false): Edge => ({
  upstream,
  downstream,
  mapped,
  flattened,
});
const ran = (taskSlug: string, type = "SUCCESS", mapIndex = -1) => ({ taskSlug, mapIndex, state: { type } });
const names = (tasks: { taskSlug: string; mapIndex: number }[]) =>
  tasks.map((task) => `${task.taskSlug}${task.mapIndex >= 0 ? `[${task.mapIndex}]` : ""}`).sort();

describe("what runs again", () => {
  const edges = [edge("a", "b"), edge("b", "c"), edge("a", "d")];

  it("is the unsuccessful tasks and everything downstream", () => {
    const tasks = [ran("a"), ran("b", "FAILED"), ran("c"), ran("d")];
    expect(names(toRunAgain(edges, tasks, null))).toEqual(["b", "c"]);
  });

  it("is also the chosen task, with what comes after it", () => {
    const tasks = [ran("a"), ran("b"), ran("c"), ran("d")];
    expect(names(toRunAgain(edges, tasks, "b"))).toEqual(["b", "c"]);
    expect(names(toRunAgain(edges, tasks, "a"))).toEqual(["a", "b", "c", "d"]);
    expect(toRunAgain(edges, tasks, null)).toEqual([]);
  });

  it("follows children one by one through maps, and all of them where a map is flattened or ends", () => {
    const tasks = ["m", "n"].flatMap((slug) => [ran(slug), ...[0, 1, 2].map((index) => ran(slug, "SUCCESS", index))]);
    const failed = tasks.map((task) => (task.taskSlug === "m" && task.mapIndex === 1 ? ran("m", "FAILED", 1) : task));
    const after = [...failed, ran("total")];
    expect(names(toRunAgain([edge("m", "n", true), edge("n", "total")], after, null))).toEqual([
      "m[1]",
      "n[1]",
      "total",
    ]);
    expect(names(toRunAgain([edge("m", "n", true, true)], failed, null))).toHaveLength(1 + 4);
  });

  it("goes on through a task that left no record, and ends in circles", () => {
    expect(names(toRunAgain(edges, [ran("a"), ran("c")], "b"))).toEqual(["c"]);
    expect(toRunAgain([edge("a", "a")], [ran("a", "FAILED")], null)).toHaveLength(1);
  });
});

it("is said by name, with counts where only some children are meant", () => {
  const all = [ran("m"), ran("m", "FAILED", 0), ran("m", "SUCCESS", 1), ran("load")];
  expect(againInWords([all[1], all[3]] as typeof all, all)).toBe("m (1 of 2), load");
  expect(againInWords(all, all)).toBe("m, load");
});

const SLUGS = ["a", "b", "c", "d", "e", "f"];

/** A flow without circles: edges lead from earlier tasks to later ones. */
function graph(random: Random): Edge[] {
  return SLUGS.flatMap((upstream, index) =>
    SLUGS.slice(index + 1).flatMap((downstream) => (random.next() < 0.3 ? [edge(upstream, downstream)] : [])),
  );
}

/** All that can be reached from some tasks, by asking each task for its upstreams again and again. */
function reachable(edges: readonly Edge[], from: readonly string[]): string[] {
  const reached = new Set(from);
  for (const slug of SLUGS)
    if (edges.some((one) => one.downstream === slug && reached.has(one.upstream))) reached.add(slug);
  return [...reached].sort();
}

describe("without mapped tasks", () => {
  it("what runs again is what can be reached from what did not succeed", () => {
    repeat(300, (random) => {
      const edges = graph(random);
      const tasks = SLUGS.map((slug) =>
        ran(slug, random.pick(["SUCCESS", "SUCCESS", "FAILED", "CANCELLED", "PENDING"])),
      );
      const bad = tasks.filter((task) => task.state.type !== "SUCCESS").map((task) => task.taskSlug);
      expect(names(toRunAgain(edges, random.shuffle(tasks), null))).toEqual(reachable(edges, bad));
    });
  });

  it("a chosen task adds itself and what can be reached from it, and takes nothing away", () => {
    repeat(300, (random) => {
      const edges = graph(random);
      const tasks = SLUGS.map((slug) => ran(slug, random.pick(["SUCCESS", "FAILED"])));
      const from = random.pick(SLUGS);
      const bad = tasks.filter((task) => task.state.type !== "SUCCESS").map((task) => task.taskSlug);
      expect(names(toRunAgain(edges, tasks, from))).toEqual(reachable(edges, [...bad, from]));
    });
  });
});

describe("with mapped tasks", () => {
  const children = (slug: string, count: number, bad: readonly number[] = []) => [
    ran(slug, bad.length > 0 ? "FAILED" : "SUCCESS"),
    ...Array.from({ length: count }, (_, index) => ran(slug, bad.includes(index) ? "FAILED" : "SUCCESS", index)),
  ];

  it("a failed child takes only its own line along, through several maps", () => {
    const edges = [edge("m", "n", true), edge("n", "o", true)];
    // The parents failed with their children; they lead to nothing but themselves being looked at again.
    const tasks = [...children("m", 4, [2]), ...children("n", 4), ...children("o", 4)].filter(
      (task) => task.mapIndex >= 0,
    );
    expect(names(toRunAgain(edges, tasks, null))).toEqual(["m[2]", "n[2]", "o[2]"]);
  });

  it("a task before a map takes all of its children along", () => {
    const tasks = [ran("list", "FAILED"), ...children("m", 3)];
    expect(names(toRunAgain([edge("list", "m", true)], tasks, null))).toEqual(["list", "m", "m[0]", "m[1]", "m[2]"]);
  });

  it("a child takes a plain task after it along, once", () => {
    const tasks = [...children("m", 3, [0, 1, 2]), ran("total")];
    const again = toRunAgain([edge("m", "total")], tasks, null);
    expect(again.filter((task) => task.taskSlug === "total")).toHaveLength(1);
  });

  it("says each thing once, whatever failed", () => {
    repeat(200, (random) => {
      const tasks = [
        ...children("m", 4, random.some([0, 1, 2, 3])),
        ...children("n", 4, random.some([0, 1, 2, 3])),
        ran("total", random.pick(["SUCCESS", "FAILED"])),
      ];
      const again = toRunAgain([edge("m", "n", true, random.boolean()), edge("n", "total")], tasks, null);
      expect(new Set(names(again)).size).toBe(again.length);
      for (const task of tasks) if (task.state.type !== "SUCCESS") expect(again).toContain(task);
    });
  });
});

describe("the words", () => {
  it("leave the count out where all children are meant, or none is mapped", () => {
    const all = [ran("m"), ran("m", "SUCCESS", 0), ran("m", "SUCCESS", 1), ran("load")];
    expect(againInWords(all.slice(0, 3), all)).toBe("m");
    expect(againInWords([all[0] as (typeof all)[0]], all)).toBe("m");
    expect(againInWords([], all)).toBe("");
  });
});
