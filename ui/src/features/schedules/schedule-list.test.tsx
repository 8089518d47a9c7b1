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
  renderPage(<ScheduleList flowId="flow-1" schedules={schedules} />, { permissions });
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
    expect(screen.getAllByRole("button").map((button) => button.textContent)).toEqual(["Next 10…", "Missed…"]);
    expect(toggle().disabled).toBe(true);
  });
});

const PREVIEW = {
  description: "Every day at 02:30",
  timezone: "Europe/Berlin",
  times: [
    {
      at: "2026-03-29T01:00:00Z",
      local: "2026-03-29T03:00:00+02:00",
      notes: ["Clocks go forward: 02:30 doesn't exist, runs at 03:00."],
      skipped: null,
    },
  ],
  dropped: [{ at: "2026-03-28T01:30:00Z", local: "2026-03-28T02:30:00+01:00", reason: "28 March is a holiday." }],
  missing: [],
};

describe("the next due times", () => {
  it("are shown on the clock of the schedule's zone, with what is special about them", async () => {
    server.onField("scheduleNext", () => ({ scheduleNext: PREVIEW }));
    const page = await show([schedule()]);
    await page.user.click(screen.getByRole("button", { name: /^Next due times/ }));
    const times = await screen.findByRole("list", { name: "Next due times in Europe/Berlin" });
    expect(times.textContent).toContain("Sun, 29 Mar 2026 03:00");
    expect(times.textContent).toContain("02:30 doesn't exist");
    expect(screen.getByRole("list", { name: "Times without a run" }).textContent).toContain("28 March is a holiday.");
  });

  it("follow what is typed, and say what is wrong with it", async () => {
    server.onField("schedulePreview", ({ document }) =>
      (document as { cron: string }).cron === "no"
        ? graphqlError("invalid", "The cron expression 'no' is not valid.")
        : { schedulePreview: PREVIEW },
    );
    const page = await show([schedule()]);
    const dialog = await open(page, /^Edit /);
    expect(await within(dialog).findByText(/Every day at 02:30/)).toBeTruthy();
    await page.user.clear(screen.getByLabelText(/Cron expression/));
    await page.user.click(screen.getByLabelText(/Cron expression/));
    await page.user.paste("no");
    await within(dialog).findByText("The cron expression 'no' is not valid.");
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

describe("the edit dialog", () => {
  const EDIT = "editSchedule";
  const inputs = () => server.variables(EDIT).map(({ input }) => input);
  const saving = () => screen.getByRole<HTMLButtonElement>("button", { name: "Save" });
  const save = (page: Page) => page.user.click(saving());
  const field = (label: RegExp) => screen.getByLabelText<HTMLInputElement>(label);
  const begin = async (more: Partial<Schedule> = {}) => {
    const page = await show([schedule(more)]);
    await open(page, /^Edit /);
    return page;
  };
  const write = async (page: Page, label: RegExp, text: string) => {
    await page.user.clear(field(label));
    await page.user.click(field(label));
    if (text) await page.user.paste(text);
  };

  beforeEach(() => server.onField(EDIT, { editSchedule: { schedule: { id: "schedule-1" } } }));

  it("begins as the schedule is, and saves nothing before something was changed", async () => {
    await begin({ catchUp: "all", catchUpCap: 50, catchUpWindow: 7_200, overlap: "queue", labels: ["a", "b"] });
    expect(field(/^Cron/).value).toBe("0 6 * * *");
    expect(field(/^Time zone/).value).toBe("Europe/Berlin");
    expect(field(/^Labels/).value).toBe("a, b");
    expect(field(/^Due times missed/).value).toBe("all");
    expect(field(/^Maximum/).value).toBe("50");
    expect(field(/^Ignore those/).value).toBe("120");
    expect(field(/^When a run is due/).value).toBe("queue");
    expect(saving().disabled).toBe(true);
  });

  it("sends only what was changed, with the version that was seen", async () => {
    const page = await begin();
    await page.user.selectOptions(field(/^When a run is due/), "cancel");
    await page.user.type(field(/^Ignore those/), "1.5");
    await save(page);
    expect(inputs()).toEqual([{ scheduleId: "schedule-1", version: 4, catchUpWindow: 90, overlap: "cancel" }]);
    await waitFor(() => expect(notices()[0]).toMatch(/^At 06:00: saved/));
    expect(screen.queryByRole("alertdialog")).toBeNull();
  });

  it("sends the version that was seen when it opened, whatever arrived since", async () => {
    const page = await begin();
    await page.user.selectOptions(field(/^When a run is due/), "cancel");
    page.rerender(<ScheduleList flowId="flow-1" schedules={[schedule({ version: 5, overlap: "queue" })]} />);
    await save(page);
    expect(inputs()).toEqual([{ scheduleId: "schedule-1", version: 4, overlap: "cancel" }]);
  });

  it("keeps what else is in the document", async () => {
    const document = { kind: "cron", cron: "0 6 13 * 5", day_or: false, filters: [{ kind: "is_weekday" }] };
    const page = await begin({ document, timezone: "UTC" });
    await write(page, /^Cron/, "0 7 13 * 5");
    await write(page, /^Time zone/, "Asia/Tokyo");
    await save(page);
    expect(inputs()).toMatchObject([{ document: { ...document, cron: "0 7 13 * 5", timezone: "Asia/Tokyo" } }]);
  });

  it("turns a cron expression into an interval", async () => {
    const page = await begin({ document: { kind: "cron", cron: "0 6 * * *", day_or: false, end: null } });
    await page.user.selectOptions(field(/^Due$/), "interval");
    expect(saving().disabled).toBe(true);
    await write(page, /^Interval/, "900");
    await save(page);
    const [{ document }] = inputs() as [{ document: object }];
    expect(document).toEqual({ kind: "interval", seconds: 900, timezone: "Europe/Berlin", end: null });
  });

  it("edits parameters and labels", async () => {
    const page = await begin({ parameters: { region: "eu" }, labels: ["a"] });
    await write(page, /^Parameters/, '{"region": "us", "n": 1}');
    await write(page, /^Labels/, "gpu, big,gpu");
    await save(page);
    expect(inputs()).toMatchObject([{ labels: ["gpu", "big"], parameters: { region: "us", n: 1 } }]);
  });

  it("asks for a cap only if all are made up for, and for a window only if something is", async () => {
    const page = await begin();
    expect(screen.queryByLabelText(/^Maximum/)).toBeNull();
    await page.user.selectOptions(field(/^Due times missed/), "all");
    expect(field(/^Maximum/).value).toBe("100");
    await page.user.selectOptions(field(/^Due times missed/), "none");
    expect(screen.queryByLabelText(/^Ignore those/)).toBeNull();
  });

  it("takes a window away by leaving it empty", async () => {
    const page = await begin({ catchUpWindow: 60 });
    await write(page, /^Ignore those/, "");
    await save(page);
    expect(inputs()).toMatchObject([{ catchUpWindow: 0 }]);
  });

  it.each([
    [/^Ignore those/, "0"],
    [/^Ignore those/, "soon"],
    [/^Cron/, ""],
    [/^Time zone/, ""],
    [/^Parameters/, "[1]"],
    [/^Parameters/, "{"],
  ])("can't be saved with %s as %s", async (label, text) => {
    const page = await begin();
    await write(page, label, text);
    expect(saving().disabled).toBe(true);
    expect(field(label).getAttribute("aria-invalid")).toBe("true");
  });

  it("stays open with the server's sentence if it was refused", async () => {
    server.onField(EDIT, () => graphqlError("conflict", "Somebody else changed it."));
    const page = await begin();
    await write(page, /^Cron/, "1 1 * * *");
    await save(page);
    expect((await screen.findByRole("alert")).textContent).toBe("Somebody else changed it.");
  });

  it("keeps what was typed when somebody else was faster, says what they changed, and saves on top of it", async () => {
    const theirs = schedule({ version: 5, overlap: "queue", timezone: "Asia/Tokyo" });
    server.onField("flow", () => ({ flow: { schedules: [theirs] } }));
    server.onField(EDIT, () => graphqlError("conflict", "It was changed in the meantime.", { version: 5 }));
    const page = await begin();
    await page.user.selectOptions(field(/^When a run is due/), "cancel");
    await write(page, /^Labels/, "gpu");
    await save(page);
    const changed = await screen.findByRole("list", { name: "Changed by somebody else" });
    expect([...changed.children].map((item) => item.textContent)).toEqual([
      "the time zone: Europe/Berlin Asia/Tokyo",
      "the overlap policy: allow queue (yours: cancel)",
    ]);
    expect(field(/^Labels/).value).toBe("gpu");
    expect(field(/^Time zone/).value).toBe("Asia/Tokyo");
    server.onField(EDIT, { editSchedule: { schedule: { id: "schedule-1" } } });
    await save(page);
    expect(inputs()[1]).toEqual({ scheduleId: "schedule-1", version: 5, labels: ["gpu"], overlap: "cancel" });
  });

  it("says what is wrong at the field, and goes there", async () => {
    const refusal = graphqlError("invalid", "Region has no value.", { field: "parameters", missing: ["region"] });
    server.onField(EDIT, () => refusal);
    const page = await begin();
    await write(page, /^Labels/, "gpu");
    await save(page);
    await waitFor(() => expect(document.activeElement).toBe(field(/^Parameters/)));
    expect(field(/^Parameters/).getAttribute("aria-invalid")).toBe("true");
    expect(screen.getByRole("alertdialog").textContent).toContain("Region has no value.");
    await page.user.paste(" ");
    expect(screen.getByRole("alertdialog").textContent).not.toContain("Region has no value.");
  });

  it("says what operators changed, and goes back to what the code says", async () => {
    const page = await begin({
      edits: [
        { field: "cron", value: "0 6 * * *", code: "0 2 * * *" },
        { field: "labels.gpu", value: true, code: null },
      ],
    });
    expect(screen.getByRole("list", { name: "Changed by operators" }).textContent).toContain(
      "The cron expression is 0 6 * * *; the code says 0 2 * * *.",
    );
    expect(screen.getByRole("alertdialog").textContent).toContain("Label gpu was added.");
    await page.user.click(screen.getByRole("button", { name: "Use the code's value: cron" }));
    expect(inputs()).toEqual([{ scheduleId: "schedule-1", version: 4, reset: ["cron"] }]);
    await waitFor(() => expect(notices()[0]).toContain("back to what the code says"));
  });

  it("says of a person's schedule that it is their own", async () => {
    await begin({ origin: "ui" });
    expect(screen.getByRole("alertdialog").textContent).toContain("no deployment changes it");
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
