import { describe, expect, it } from "vitest";
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

  it("is what did not succeed, and all that comes after it", () => {
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
