import { screen, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { TaskRun } from "../../lib/task-groups";
import { groupsOf, state, taskRun } from "../../test/builders";
import { renderPage } from "../../test/render";
import { type FakeServer, fakeServer } from "../../test/server";
import { Timeline } from "./timeline";

const START = "2026-11-22T06:00:00Z";
const END = "2026-11-22T06:01:40Z";
const at = (seconds: number) => new Date(Date.parse(START) + seconds * 1_000).toISOString();
let server: FakeServer;
const onToggle = vi.fn();
const onSelect = vi.fn();

const TASKS = [
  taskRun("extract", { startTime: at(0), endTime: at(50) }),
  taskRun("fetch", { state: state("FAILED") }),
  taskRun("fetch", { mapIndex: 0, startTime: at(50), endTime: at(60) }),
  taskRun("fetch", { mapIndex: 1, state: state("FAILED"), startTime: at(50), endTime: at(70) }),
  taskRun("load", {
    state: { ...state("FAILED", "TriggerFailed"), at: at(90) },
    startTime: null,
    endTime: null,
    created: at(90),
  }),
];

function show(more: Partial<Parameters<typeof Timeline>[0]> = {}, tasks: readonly TaskRun[] = TASKS) {
  server.onField("taskRuns", ({ filter, first, offset }) => {
    const { taskSlug } = filter as { taskSlug: string };
    const children = tasks.filter((task) => task.taskSlug === taskSlug && task.mapIndex >= 0);
    return { taskRuns: { items: children.slice(offset as number, (offset as number) + (first as number)) } };
  });
  const props = {
    flowRunId: "run-1",
    family: null,
    groups: groupsOf(tasks),
    order: ["extract", "fetch", "load"],
    startTime: START,
    endTime: END as string | null,
    selected: "",
    expanded: new Set<string>(),
    onToggle,
    onSelect,
    ...more,
  };
  return renderPage(<Timeline {...props} />);
}

const rows = () => screen.getAllByRole("listitem");
const row = (label: string) =>
  rows().find((one) => within(one).queryByRole("button", { name: new RegExp(`^${label} · `) })) as HTMLElement;
const bars = (label: string) => [...row(label).querySelectorAll<HTMLElement>(".bar")];

beforeEach(() => {
  server = fakeServer();
  onToggle.mockReset();
  onSelect.mockReset();
});

describe("the rows", () => {
  it("are the tasks in the flow's order, mapped ones collapsed with the outcomes of their children", async () => {
    await show();
    const labels = rows().map((one) => within(one).getAllByRole("button").at(-1)?.getAttribute("aria-label"));
    expect(labels).toEqual(["extract · Success · 50 s", "fetch · 1 ok · 1 failed", "load · Not run"]);
  });

  it("unfold a mapped task", async () => {
    const page = await show();
    await page.user.click(screen.getByRole("button", { name: "Expand fetch" }));
    expect(onToggle).toHaveBeenCalledExactlyOnceWith("fetch");
  });

  it("of an unfolded one are its children, for which the server is asked with the worst first", async () => {
    await show({ expanded: new Set(["fetch"]) }, [...TASKS].reverse());
    expect(rows()).toHaveLength(5);
    await screen.findByRole("button", { name: /^fetch\[0\] · / });
    expect(server.variables("taskRuns")).toEqual([
      { id: "run-1", filter: { taskSlug: "fetch", children: true }, sort: "WORST_FIRST", first: 100, offset: 0 },
    ]);
    const names = rows().map((one) => within(one).getAllByRole("button").at(-1)?.textContent);
    expect(names.slice(1, 4)).toEqual(["fetch (2)", "fetch[1]", "fetch[0]"]);
    expect(screen.getByRole("button", { name: "Collapse fetch" }).getAttribute("aria-expanded")).toBe("true");
  });

  it("are selected by their task", async () => {
    const page = await show({ expanded: new Set(["fetch"]), selected: "fetch[0]" });
    const name = /^fetch\[0\] · /;
    expect((await screen.findByRole("button", { name })).getAttribute("aria-pressed")).toBe("true");
    await page.user.click(screen.getByRole("button", { name }));
    expect(onSelect).toHaveBeenCalledExactlyOnceWith("fetch[0]");
  });

  it("are drawn only as far as they are in sight", async () => {
    const many = Array.from({ length: 2_000 }, (_, index) => taskRun("m", { mapIndex: index }));
    await show({ expanded: new Set(["m"]) }, many);
    await screen.findByRole("button", { name: /^m\[0\] · / });
    expect(rows().length).toBeLessThan(80);
    expect(server.variables("taskRuns")).toHaveLength(1);
    expect(screen.getByRole("list").style.height).toBe(`${2_001 * 24}px`);
  });
});

describe("the bars", () => {
  it("are to scale, and never too thin to see", async () => {
    await show();
    expect(bars("extract").map((bar) => bar.style.width)).toEqual(["max(3px, 50%)"]);
    expect(bars("load").map((bar) => bar.style.width)).toEqual(["max(3px, 0%)"]);
  });

  it("tell waiting from working, and each attempt from the others", async () => {
    const retried = taskRun("extract", {
      state: state("FAILED"),
      created: at(0),
      startTime: at(20),
      endTime: at(100),
      attempts: [
        { start: at(20), end: at(40), state: "Failed", type: "FAILED" },
        { start: at(60), end: at(100), state: "Failed", type: "FAILED" },
      ],
    });
    await show({}, [retried]);
    expect(bars("extract").map((bar) => bar.className.trim().split(/\s+/)[1])).toEqual([
      "bar-waiting",
      "bar-attention",
      "bar-failed",
    ]);
  });

  it("show how busy a mapped task was", async () => {
    await show();
    expect(bars("fetch")).toHaveLength(1);
    expect(bars("fetch")[0]?.querySelectorAll("i").length).toBeGreaterThan(10);
  });

  it("say it in words too, where there is room beside the bar", async () => {
    await show();
    const text = row("fetch").querySelector<HTMLElement>(".track-counts");
    expect(text?.textContent).toBe("1 ok · 1 failed");
    expect(text?.style.display).not.toBe("none");
  });

  it("of a task at work stay open until now", async () => {
    const running = taskRun("extract", { state: state("RUNNING"), startTime: at(0), endTime: null });
    await show({ endTime: null }, [running]);
    expect(bars("extract").at(-1)?.className).toContain("bar-open");
    expect(document.querySelector(".now-line")).not.toBeNull();
  });
});

describe("the axis", () => {
  const ticks = () => [...document.querySelectorAll<HTMLElement>(".tick")];

  it("has a few ticks, none at the edge where it would be cut off", async () => {
    await show();
    expect(ticks().length).toBeGreaterThan(1);
    for (const tick of ticks()) expect(Number.parseFloat(tick.style.left)).toBeLessThan(88);
  });

  it("says times of day for long runs, and distances for short ones", async () => {
    const page = await show();
    expect(ticks()[0]?.textContent).toMatch(/^\d\d:\d\d:\d\d$/);
    page.unmount();
    await show({ endTime: at(0.4) }, [taskRun("extract", { startTime: at(0), endTime: at(0.4) })]);
    expect(ticks()[0]?.textContent).toMatch(/^\+\d+ ms$/);
  });

  it("has no line of now once the run has ended", async () => {
    await show();
    expect(document.querySelector(".now-line")).toBeNull();
  });
});
