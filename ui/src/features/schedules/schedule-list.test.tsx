import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import type { Schedule } from "../../api/flows";
import { schedule } from "../../test/builders";
import { notices, type Page, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, graphqlError, held, refusal } from "../../test/server";
import { ScheduleList } from "./schedule-list";

const ALL = ["schedules:edit", "schedules:backfill"];
let server: FakeServer;

const show = (schedules: readonly Schedule[], permissions: readonly string[] = ALL): Promise<Page> =>
  renderPage(<ScheduleList schedules={schedules} />, { permissions });
const toggle = () => screen.getByRole<HTMLInputElement>("switch");
const open = async (page: Page, name: RegExp) => {
  await page.user.click(screen.getByRole("button", { name }));
  return screen.findByRole(/Missed/.test(name.source) ? "dialog" : "alertdialog");
};

beforeEach(() => {
  server = fakeServer();
});

describe("the list", () => {
  it("says that a flow without schedules is started by hand", async () => {
    await show([]);
    expect(screen.queryByRole("list")).toBeNull();
    expect(document.body.textContent).toContain("No schedules.");
  });

  it("says of each when it runs next, in which zone, with which parameters and policies", async () => {
    await show([schedule({ parameters: { region: "eu" }, catchUp: "none", overlap: "skip" })]);
    const item = screen.getByRole("listitem");
    expect(item.querySelectorAll("time")).toHaveLength(2);
    expect(item.textContent).toContain("At 06:00 Europe/Berlin");
    expect(item.textContent).toContain('{"region":"eu"}');
    expect(item.textContent).toContain("Skips missed times");
  });

  it("says of a paused one that it starts nothing", async () => {
    await show([schedule({ active: false })]);
    expect(screen.getByRole("listitem").querySelectorAll("time")).toHaveLength(0);
    expect(screen.getByRole("listitem").textContent).toContain("Paused");
    expect(toggle().checked).toBe(false);
  });

  it("offers only what the person may do", async () => {
    await show([schedule()], []);
    expect(screen.getAllByRole("button").map((button) => button.textContent)).toEqual(["Missed…"]);
    expect(toggle().disabled).toBe(true);
  });
});

describe("pausing a schedule", () => {
  it("is shown at once, and can't be done twice", async () => {
    const answer = held<object>();
    server.onField("setScheduleActive", () => answer.promise);
    const page = await show([schedule()]);
    await page.user.click(toggle());
    expect(toggle().checked).toBe(false);
    expect(toggle().disabled).toBe(true);
    expect(server.variables("setScheduleActive")).toEqual([{ input: { scheduleId: "schedule-1", active: false } }]);
    answer.release({ setScheduleActive: { id: "schedule-1" } });
    await waitFor(() => expect(notices()[0]).toMatch(/paused/));
  });

  it("goes back where the server refuses it", async () => {
    server.onField("setScheduleActive", () => graphqlError("forbidden", "You may not."));
    const page = await show([schedule()]);
    await page.user.click(toggle());
    await waitFor(() => expect(notices()[0]).toContain("You may not."));
    expect(toggle().checked).toBe(true);
  });
});

describe("the policies", () => {
  const EDIT = "editSchedule";
  const inputs = () => server.variables(EDIT).map(({ input }) => input);
  const save = (page: Page) => page.user.click(screen.getByRole("button", { name: "Save" }));
  const boxes = () => screen.getAllByRole<HTMLSelectElement>("combobox");
  const fields = () => screen.queryAllByRole<HTMLInputElement>("textbox");

  beforeEach(() => server.onField(EDIT, { editSchedule: { schedule: { id: "schedule-1" } } }));

  it("begin as they are", async () => {
    const page = await show([schedule({ catchUp: "all", catchUpCap: 50, catchUpWindow: 7_200, overlap: "queue" })]);
    await open(page, /^Policies of/);
    expect(boxes().map((box) => box.value)).toEqual(["all", "queue"]);
    expect(fields().map((field) => field.value)).toEqual(["50", "120"]);
  });

  it("ask for a cap only where all are made up for, and for a window only where something is", async () => {
    const page = await show([schedule()]);
    await open(page, /^Policies of/);
    expect(fields()).toHaveLength(1);
    await page.user.selectOptions(boxes()[0] as HTMLElement, "all");
    expect(fields()).toHaveLength(2);
    await page.user.selectOptions(boxes()[0] as HTMLElement, "none");
    expect(fields()).toHaveLength(0);
  });

  it("are sent whole, the window in seconds", async () => {
    const page = await show([schedule()]);
    await open(page, /^Policies of/);
    await page.user.selectOptions(boxes()[1] as HTMLElement, "cancel");
    await page.user.type(fields()[0] as HTMLElement, "1.5");
    await save(page);
    expect(inputs()).toEqual([
      { scheduleId: "schedule-1", catchUp: "latest", catchUpCap: 100, catchUpWindow: 90, overlap: "cancel" },
    ]);
    await waitFor(() => expect(notices()[0]).toMatch(/^At 06:00: /));
    expect(screen.queryByRole("alertdialog")).toBeNull();
  });

  it("take a window away by leaving it empty", async () => {
    const page = await show([schedule({ catchUpWindow: 60 })]);
    await open(page, /^Policies of/);
    await page.user.clear(fields()[0] as HTMLElement);
    await save(page);
    expect(inputs()).toMatchObject([{ catchUpWindow: 0 }]);
  });

  it.each(["0", "-5", "soon"])("can't be saved with a window of %s", async (text) => {
    const page = await show([schedule()]);
    await open(page, /^Policies of/);
    await page.user.type(fields()[0] as HTMLElement, text);
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Save" }).disabled).toBe(true);
    expect(fields()[0]?.getAttribute("aria-invalid")).toBe("true");
  });

  it("stay open with the server's sentence where they were refused", async () => {
    server.onField(EDIT, () => graphqlError("conflict", "Somebody else changed it."));
    const page = await show([schedule()]);
    await open(page, /^Policies of/);
    await save(page);
    expect((await screen.findByRole("alert")).textContent).toBe("Somebody else changed it.");
  });
});

describe("a backfill", () => {
  const PREVIEW = { count: 48, existing: 8, first: "2026-11-21T00:00:00Z", last: "2026-11-22T23:00:00Z" };
  const range = () =>
    [...document.querySelectorAll<HTMLInputElement>("input[type=datetime-local]")] as [
      HTMLInputElement,
      HTMLInputElement,
    ];
  const create = () => screen.getByRole<HTMLButtonElement>("button", { name: /^Create (\d|runs)/ });
  const preview = (page: Page) => page.user.click(screen.getByRole("button", { name: "Preview" }));
  const numbers = () =>
    [...document.querySelectorAll<HTMLInputElement>("input[inputmode=numeric]")] as [
      HTMLInputElement,
      HTMLInputElement,
    ];

  beforeEach(() => {
    server.onField("backfillPreview", { backfillPreview: PREVIEW });
    server.onField("backfill", {
      backfill: { job: { id: "job-1", state: "running", total: 40, done: 0, refused: 0 } },
    });
  });

  it("can't be made before it was seen", async () => {
    const page = await show([schedule()]);
    await open(page, /^Backfill/);
    expect(create().disabled).toBe(true);
    await preview(page);
    await waitFor(() => expect(create().textContent).toBe("Create 40 runs"));
    expect(create().disabled).toBe(false);
    expect(screen.getByRole("status").textContent).toContain("48 due times, 8 have runs already: 40 to create.");
  });

  it("asks about the range as instants, from yesterday's midnight to today's at first", async () => {
    const page = await show([schedule()]);
    await open(page, /^Backfill/);
    expect(range().map((input) => input.value.slice(-5))).toEqual(["00:00", "00:00"]);
    await preview(page);
    const [{ range: sent }] = server.variables("backfillPreview") as [{ range: Record<string, string> }];
    expect(sent.scheduleId).toBe("schedule-1");
    expect(new Date(sent.start as string)).toEqual(new Date(range()[0].value));
    expect(new Date(sent.end as string)).toEqual(new Date(range()[1].value));
  });

  it("is to be seen again after the range was changed", async () => {
    const page = await show([schedule()]);
    await open(page, /^Backfill/);
    await preview(page);
    await waitFor(() => expect(create().disabled).toBe(false));
    await page.user.clear(range()[0]);
    await page.user.type(range()[0], "2026-01-01T00:00");
    expect(create().disabled).toBe(true);
    expect(screen.queryByRole("status")).toBeNull();
  });

  it("needs an end that is later than its start", async () => {
    const page = await show([schedule()]);
    await open(page, /^Backfill/);
    await page.user.clear(range()[1]);
    await page.user.type(range()[1], "2000-01-01T00:00");
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Preview" }).disabled).toBe(true);
    expect(range()[1].getAttribute("aria-invalid")).toBe("true");
  });

  it("has nothing to create where all have runs", async () => {
    server.onField("backfillPreview", { backfillPreview: { ...PREVIEW, existing: 48 } });
    const page = await show([schedule()]);
    await open(page, /^Backfill/);
    await preview(page);
    await screen.findByRole("status");
    expect(create().disabled).toBe(true);
  });

  it.each(["0", "1001", "x"])("can't be made with %s at a time", async (text) => {
    const page = await show([schedule()]);
    await open(page, /^Backfill/);
    await preview(page);
    await waitFor(() => expect(create().disabled).toBe(false));
    await page.user.clear(numbers()[0]);
    await page.user.type(numbers()[0], text);
    expect(create().disabled).toBe(true);
  });

  it("is made with its rates and a key, and its job opens", async () => {
    const page = await show([schedule()]);
    await open(page, /^Backfill/);
    await preview(page);
    await waitFor(() => expect(create().disabled).toBe(false));
    await page.user.type(numbers()[1], "30");
    await page.user.click(create());
    await waitFor(() => expect(page.address()).toBe("/jobs/job-1"));
    expect(server.variables("backfill")).toMatchObject([
      { input: { atOnce: 10, perMinute: 30, reason: "", idempotencyKey: expect.stringMatching(/^[0-9a-f]{32}$/) } },
    ]);
  });
});

describe("the missed due times", () => {
  const skip = (first: string, last: string, count: number) => ({
    first,
    last,
    count,
    reason: `Missed ${count}.`,
    at: last,
  });
  const SKIPS = "scheduleSkips";
  const pageOf = (items: object[], next: string | null = null) => ({ [SKIPS]: { items, next } });

  it("are said with why, a span for several", async () => {
    server.onField(
      SKIPS,
      pageOf([
        skip("2026-11-22T06:00:00Z", "2026-11-22T06:00:00Z", 1),
        skip("2026-11-20T06:00:00Z", "2026-11-21T06:00:00Z", 1_200),
      ]),
    );
    const page = await show([schedule()]);
    const dialog = await open(page, /^Missed due times/);
    const [, one, many] = await within(dialog).findAllByRole("row");
    expect(one?.querySelectorAll("time")).toHaveLength(1);
    expect(many?.querySelectorAll("time")).toHaveLength(2);
    expect(many?.textContent).toContain("1,200");
    expect(many?.textContent).toContain("Missed 1200.");
  });

  it("are none where every due time has its run", async () => {
    server.onField(SKIPS, pageOf([]));
    const page = await show([schedule()]);
    const dialog = await open(page, /^Missed due times/);
    await within(dialog).findByText("No missed due times.");
  });

  it("go on in older ones while there are more", async () => {
    const pages = [
      pageOf([skip("2026-11-22T06:00:00Z", "2026-11-22T06:00:00Z", 1)], "older/1"),
      pageOf([skip("2026-11-21T06:00:00Z", "2026-11-21T06:00:00Z", 2)]),
    ];
    server.onField(SKIPS, () => pages.shift() ?? {});
    const page = await show([schedule()]);
    const dialog = await open(page, /^Missed due times/);
    await page.user.click(await within(dialog).findByRole("button", { name: "Show older" }));
    await waitFor(() => expect(within(dialog).getAllByRole("row")).toHaveLength(3));
    expect(server.variables(SKIPS)).toEqual([
      { scheduleId: "schedule-1", after: null },
      { scheduleId: "schedule-1", after: "older/1" },
    ]);
    expect(within(dialog).queryByRole("button", { name: "Show older" })).toBeNull();
  });

  it("can be asked again where they could not be loaded", async () => {
    server.onField(SKIPS, () => refusal(500, "internal", "It broke."));
    const page = await show([schedule()]);
    const dialog = await open(page, /^Missed due times/);
    expect((await within(dialog).findByRole("alert")).textContent).toContain("It broke.");
    server.onField(SKIPS, pageOf([]));
    await page.user.click(within(dialog).getByRole("button", { name: "Try again" }));
    await within(dialog).findByText("No missed due times.");
  });
});
