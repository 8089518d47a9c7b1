import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { cursorOf, type LogRecord } from "../../lib/log-model";
import { FakeEventSource } from "../../test/event-source";
import { notices, type Page, renderPage } from "../../test/render";
import { fakeScrolling } from "../../test/scrolling";
import { type FakeServer, fakeServer, graphqlError } from "../../test/server";
import { LogViewer } from "./log-viewer";

const LINE = 18;
const PAGE = 200;

interface Question {
  filter: { minLevel?: number; taskSlug?: string; mapIndex?: number; text?: string };
  first: number;
  after?: string;
  before?: string;
}

/** A log as the server keeps it: pages by id, narrowed by a filter. */
class Log {
  readonly records: LogRecord[] = [];

  add(count: number, more: (id: number) => Partial<LogRecord> = () => ({})): this {
    for (let added = 0; added < count; added += 1) {
      const id = this.records.length + 1;
      const plain = {
        id,
        at: "2026-11-22T06:30:00Z",
        level: 20,
        logger: "flow",
        stream: null,
        taskSlug: null,
        mapIndex: -1,
      };
      this.records.push({ ...plain, message: `line ${id}`, ...more(id) });
    }
    return this;
  }

  page({ filter, first, after, before }: Question) {
    const match = this.records.filter(
      (record) =>
        record.level >= (filter.minLevel ?? 0) &&
        (!filter.taskSlug || record.taskSlug === filter.taskSlug) &&
        (filter.mapIndex === undefined || record.mapIndex === filter.mapIndex) &&
        (!filter.text || record.message.includes(filter.text)),
    );
    const idOf = (cursor: string) => Number(atob(cursor));
    const items = before
      ? match.filter((record) => record.id < idOf(before)).slice(-first)
      : match.filter((record) => !after || record.id > idOf(after)).slice(0, first);
    const older = items[0] && match.indexOf(items[0]) > 0;
    return { logs: { items, next: null, previous: older ? cursorOf(items[0]?.id as number) : null } };
  }
}

let server: FakeServer;
let log: Log;
const onSearch = vi.fn();
let unfake: () => void;

function show(more: Partial<Parameters<typeof LogViewer>[0]> = {}): Promise<Page> {
  const props = {
    flowRunId: "run-1",
    task: null,
    place: "end" as const,
    isLive: false,
    errorCount: 0,
    request: null,
    search: {},
    onSearch,
    ...more,
  };
  return renderPage(<LogViewer {...props} />);
}

const box = () => document.querySelector("[role=log]") as HTMLElement;
/** How far a box can be scrolled that is as high as this many lines. */
const bottom = (count: number) => count * LINE - 240;
const lines = () => [...box().querySelectorAll(".line")].map((line) => line.lastElementChild?.textContent ?? "");
const marked = () => box().querySelector(".line-current")?.lastElementChild?.textContent ?? null;
const questions = () => server.variables("logs") as unknown as Question[];
const loaded = (text: string) => waitFor(() => expect(lines()).toContain(text));
const expectText = (sentence: string) => waitFor(() => expect(box().textContent).toContain(sentence));
const numberOf = (line: number) => box().querySelector<HTMLElement>(`[aria-label^="${line}:"]`);
const find = () => document.querySelector("input[type=search]") as HTMLInputElement;
const counts = () => box().closest("body")?.querySelector(".find-count")?.textContent;

/** Scrolls, and waits until the rows that are in sight there are drawn. */
async function scroll(top: number): Promise<void> {
  box().scrollTop = top;
  await waitFor(() => {
    const first = Number.parseInt(
      /\((\d+)px\)/.exec(box().querySelector<HTMLElement>(".log-rows")?.style.transform ?? "")?.[1] ?? "",
      10,
    );
    expect(first).toBe(Math.max(0, Math.floor(box().scrollTop / LINE) - 12) * LINE);
  });
}

/** The server says that the run has changed, and whether it has written lines. */
function change(lines = 1): void {
  act(() => FakeEventSource.latest.tell([{ topic: "flow_run", id: "run-1", kind: "flow_run.progress", lines }]));
}

beforeEach(() => {
  server = fakeServer();
  log = new Log();
  server.onField("logs", (variables) => log.page(variables as unknown as Question));
  onSearch.mockReset();
  unfake = fakeScrolling((element) =>
    Number.parseInt(element.querySelector<HTMLElement>(".log-height")?.style.height ?? "0", 10),
  );
});

afterEach(() => {
  unfake();
});

describe("where the log opens", () => {
  it("is its end, one page of it, scrolled down", async () => {
    log.add(500);
    await show();
    await loaded("line 500");
    expect(questions()).toHaveLength(1);
    expect(questions()[0]).toMatchObject({ first: PAGE, before: cursorOf(Number.MAX_SAFE_INTEGER) });
    expect(box().scrollTop).toBe(bottom(PAGE));
  });

  it("or its start", async () => {
    log.add(500);
    await show({ place: "start" });
    await loaded("line 1");
    expect(box().scrollTop).toBe(0);
    expect(marked()).toBeNull();
  });

  it("or around a line, which is marked", async () => {
    log.add(500);
    await show({ place: 250 });
    await loaded("line 250");
    expect(marked()).toBe("line 250");
    expect(lines()).toContain("line 249");
    expect(lines()).toContain("line 251");
  });

  it("draws only the rows that are in sight, in a box as high as all of them", async () => {
    log.add(150);
    await show({ place: "start" });
    await loaded("line 1");
    expect(lines().length).toBeLessThan(60);
    expect(box().querySelector<HTMLElement>(".log-height")?.style.height).toBe(`${150 * LINE}px`);
    await scroll(100 * LINE);
    expect(lines()).toContain("line 110");
    expect(lines()).not.toContain("line 1");
  });

  it("numbers lines only where it knows the first", async () => {
    log.add(300);
    const page = await show();
    await loaded("line 300");
    expect(numberOf(101)).toBeNull();
    page.unmount();
    await show({ place: "start" });
    await loaded("line 1");
    expect(numberOf(1)).not.toBeNull();
  });
});

describe("a log without lines", () => {
  it.each([
    [{}, "This run wrote no log lines."],
    [{ isLive: true }, "No lines yet."],
    [{ search: { level: "error" as const } }, "No lines match this level, stream, and task."],
    [{ task: { taskSlug: "load", mapIndex: null } }, "No lines match this level, stream, and task."],
  ])("%j: %s", async (props, sentence) => {
    await show(props);
    await expectText(sentence);
  });

  it("that could not be loaded can be asked again", async () => {
    server.onField("logs", () => graphqlError("internal", "It broke."));
    const page = await show();
    expect((await screen.findByRole("alert")).textContent).toContain("It broke.");
    server.onField("logs", (variables) => log.add(1).page(variables as unknown as Question));
    await page.user.click(screen.getByRole("button", { name: "Try again" }));
    await loaded("line 1");
  });
});

describe("what is shown", () => {
  it("is narrowed by the address's level, on the server", async () => {
    log.add(10, (id) => ({ level: id === 4 ? 40 : 20 }));
    await show({ search: { level: "error" } });
    await loaded("line 4");
    expect(lines()).toEqual(["line 4"]);
    expect(questions()[0]?.filter).toEqual({ minLevel: 40 });
  });

  it("is narrowed by writing the level into the address", async () => {
    const page = await show();
    await page.user.selectOptions(screen.getByLabelText("Level"), "warn");
    expect(onSearch).toHaveBeenCalledExactlyOnceWith({ level: "warn" });
    onSearch.mockReset();
    await page.user.selectOptions(screen.getByLabelText("Level"), "");
    expect(onSearch).toHaveBeenCalledExactlyOnceWith({ level: undefined });
  });

  it("is one task's lines, without a column that says the same in every row", async () => {
    log.add(6, (id) => ({ taskSlug: "load", mapIndex: id % 2 }));
    await show({ task: { taskSlug: "load", mapIndex: 1 } });
    await loaded("line 1");
    expect(questions()[0]?.filter).toEqual({ taskSlug: "load", mapIndex: 1 });
    expect(lines()).toEqual(["line 1", "line 3", "line 5"]);
    expect(box().querySelector(".line-task")).toBeNull();
  });

  it("says of each record its time and level once, and its task", async () => {
    log.add(1, () => ({ message: "Boom\n  at x", level: 40, taskSlug: "load", mapIndex: 3 }));
    await show();
    await loaded("Boom");
    const [head, rest] = [...box().querySelectorAll(".line")];
    expect(head?.textContent).toMatch(/ERRORload\[3\]Boom$/);
    expect(rest?.textContent).not.toMatch(/ERROR|load/);
  });
});

describe("older and newer lines", () => {
  it("are loaded when one scrolls near to the start, and what is read stays in place", async () => {
    log.add(500);
    await show();
    await loaded("line 500");
    await scroll(20 * LINE);
    await waitFor(() => expect(box().scrollTop).toBe((20 + PAGE) * LINE));
    expect(questions()[1]?.before).toBe(cursorOf(301));
    await waitFor(() => expect(lines()).toContain("line 321"));
  });

  it("are loaded when one scrolls near to the end", async () => {
    log.add(500);
    await show({ place: "start" });
    await loaded("line 1");
    await scroll(150 * LINE);
    await waitFor(() => expect(box().scrollHeight).toBe(2 * PAGE * LINE));
    expect(questions()[1]?.after).toBe(cursorOf(200));
  });

  it("are not asked for where all are loaded", async () => {
    log.add(100);
    await show({ place: "start" });
    await loaded("line 1");
    await scroll(0);
    await scroll(60 * LINE);
    expect(questions()).toHaveLength(1);
  });
});

describe("finding", () => {
  beforeEach(() => log.add(100, (id) => (id % 40 === 0 ? { message: `needle ${id}` } : {})));

  it("counts, marks and walks through the matches, from the end to the first again", async () => {
    const page = await show({ place: "start" });
    await loaded("line 1");
    await page.user.type(find(), "NEEDLE");
    expect(counts()).toBe("0/2");
    await page.user.type(find(), "{Enter}");
    expect(counts()).toBe("1/2");
    await waitFor(() => expect(marked()).toBe("needle 40"));
    await page.user.type(find(), "{Enter}");
    expect(counts()).toBe("2/2");
    await page.user.type(find(), "{Enter}");
    expect(counts()).toBe("1/2");
    await page.user.type(find(), "{Shift>}{Enter}{/Shift}");
    expect(counts()).toBe("2/2");
    await waitFor(() => expect(box().querySelector("mark")?.textContent).toBe("needle"));
  });

  it("writes the text into the address a moment after the last key", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      await show({ place: "start" });
      for (const value of ["n", "ne", "nee"]) fireEvent.change(find(), { target: { value } });
      await act(() => vi.advanceTimersByTimeAsync(299));
      expect(onSearch).not.toHaveBeenCalled();
      await act(() => vi.advanceTimersByTimeAsync(1));
      expect(onSearch).toHaveBeenCalledExactlyOnceWith({ find: "nee" });
    } finally {
      vi.useRealTimers();
    }
  });

  it("begins with the address's text", async () => {
    await show({ place: "start", search: { find: "needle" } });
    await loaded("line 1");
    expect([find().value, counts()]).toEqual(["needle", "0/2"]);
  });

  it("goes on beyond what is loaded, by the server", async () => {
    log.add(400).add(1, () => ({ message: "needle far away" }));
    const page = await show({ place: "start", search: { find: "needle" } });
    await loaded("line 1");
    expect(counts()).toBe("0/2+");
    await page.user.type(find(), "{Enter}{Enter}{Enter}");
    await waitFor(() => expect(marked()).toBe("needle far away"));
    expect(questions()).toContainEqual(expect.objectContaining({ filter: { text: "needle" }, first: 1 }));
  });
});

describe("the errors", () => {
  const errors = (...ids: number[]) =>
    log.add(600, (id) => (ids.includes(id) ? { level: 40, message: `error ${id}` } : {}));
  const next = (page: Page) => page.user.click(screen.getByText(/^Errors \d/));

  it("are walked by their button, and by e and Shift E", async () => {
    errors(20, 60);
    const page = await show({ place: "start", errorCount: 2 });
    await loaded("line 1");
    await next(page);
    await waitFor(() => expect(marked()).toBe("error 20"));
    await page.user.keyboard("e");
    await waitFor(() => expect(marked()).toBe("error 60"));
    await page.user.keyboard("{Shift>}E{/Shift}");
    await waitFor(() => expect(marked()).toBe("error 20"));
  });

  it("are looked for by the server beyond what is loaded", async () => {
    errors(20, 450);
    const page = await show({ place: "start", errorCount: 2 });
    await loaded("line 1");
    await next(page);
    await next(page);
    await waitFor(() => expect(marked()).toBe("error 450"));
  });

  it("are said to be over where there is no further one", async () => {
    errors(20);
    const page = await show({ place: "start", errorCount: 1 });
    await loaded("line 1");
    await next(page);
    await next(page);
    await waitFor(() => expect(notices()).toEqual(["No further errors."]));
  });

  it("are not offered where there are none", async () => {
    await show();
    expect(screen.queryByText(/^Errors \d/)).toBeNull();
  });

  it("are opened by a wish from outside", async () => {
    errors(450);
    await show({ place: "start", request: { id: 450, turn: 1 } });
    await loaded("error 450");
    expect(marked()).toBe("error 450");
  });
});

describe("a run at work", () => {
  const follow = () => screen.getByText("Follow");

  it("is followed to its end as lines come", async () => {
    log.add(100);
    await show({ isLive: true });
    await loaded("line 100");
    expect(follow().getAttribute("aria-pressed")).toBe("true");
    log.add(50);
    change();
    await waitFor(() => expect(box().scrollTop).toBe(bottom(150)));
    expect(questions().at(-1)?.after).toBe(cursorOf(100));
  });

  it("is not torn away from what is read: new lines are counted, and shown when asked for", async () => {
    log.add(100);
    const page = await show({ isLive: true });
    await loaded("line 100");
    await scroll(10 * LINE);
    expect(follow().getAttribute("aria-pressed")).toBe("false");
    log.add(3);
    change();
    const button = await screen.findByText(/^3 new lines/);
    expect(box().scrollTop).toBe(10 * LINE);
    await page.user.click(button);
    expect(box().scrollTop).toBe(bottom(103));
    expect(screen.queryByText(/new line/)).toBeNull();
  });

  it("asks nothing when another run changes", async () => {
    log.add(10);
    await show({ isLive: true });
    await loaded("line 10");
    const before = questions().length;
    vi.useFakeTimers();
    act(() => FakeEventSource.latest.tell([{ topic: "flow_run", id: "run-2", kind: "flow_run.state" }]));
    change(0);
    await act(() => vi.advanceTimersByTimeAsync(2_000));
    vi.useRealTimers();
    expect(questions()).toHaveLength(before);
  });

  it("that has ended is asked for its last lines, and can't be followed", async () => {
    log.add(10);
    const page = await show({ isLive: true });
    await loaded("line 10");
    log.add(2);
    const props = {
      flowRunId: "run-1",
      task: null,
      place: "end" as const,
      errorCount: 0,
      request: null,
      search: {},
      onSearch,
    };
    page.rerender(<LogViewer {...props} isLive={false} />);
    await loaded("line 12");
    expect(screen.queryByText("Follow")).toBeNull();
  });
});

describe("the reader's tools", () => {
  it("wrap long lines, and remember it", async () => {
    const pen = { font: "", measureText: (text: string) => ({ width: text.length * 7 }) };
    vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(pen as unknown as null);
    log.add(1, () => ({ message: "x".repeat(500) }));
    const page = await show();
    await loaded("x".repeat(500));
    await page.user.click(screen.getByText("Wrap"));
    expect(lines().length).toBeGreaterThan(1);
    expect(lines().join("")).toBe("x".repeat(500));
    page.unmount();
    await show();
    await waitFor(() => expect(lines().length).toBeGreaterThan(1));
    expect(screen.getByText("Wrap").getAttribute("aria-pressed")).toBe("true");
  });

  it("make a link to a line, by its number", async () => {
    log.add(5);
    const page = await show({ place: "start" });
    await loaded("line 3");
    await page.user.click(numberOf(3) as HTMLElement);
    expect(location.hash).toBe("#L3");
    expect(marked()).toBe("line 3");
    await waitFor(() => expect(notices()).toHaveLength(1));
  });

  it("reach the search by a slash, and leave it by Escape", async () => {
    const page = await show();
    await page.user.keyboard("/");
    expect(document.activeElement).toBe(find());
    expect(find().value).toBe("");
    await page.user.keyboard("{Escape}");
    expect(document.activeElement).not.toBe(find());
  });

  it("download the whole log", async () => {
    await show();
    expect(screen.getByText("Download").getAttribute("href")).toContain("run-1/logs/download");
  });
});
