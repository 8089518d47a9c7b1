import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Limit } from "../../api/limits";
import { limit } from "../../test/builders";
import { notices, type Page, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, graphqlError, held } from "../../test/server";
import { LimitsTable } from "./limits-table";

const SET = "setConcurrencyLimit";
const holder = (index: number, more: object = {}) => ({
  flowRunId: `run-${index}`,
  flowRunName: `otter ${index}`,
  since: "2026-11-22T06:00:00Z",
  taskSlug: null,
  mapIndex: -1,
  ...more,
});

let server: FakeServer;
const answerOf = (one: Limit) => ({ [SET]: { concurrencyLimit: one } });
const inputs = () => server.variables(SET).map(({ input }) => input);
const onRemove = vi.fn();
const show = (limits: readonly Limit[], isEditable = true): Promise<Page> =>
  renderPage(<LimitsTable limits={limits} isEditable={isEditable} onRemove={onRemove} />);
const field = (name = "gpu") => screen.getByRole<HTMLInputElement>("textbox", { name: `Slots for ${name}` });
const row = (name: string) => screen.getByRole("rowheader", { name }).closest("tr") as HTMLElement;

beforeEach(() => {
  server = fakeServer();
  server.onField(SET, ({ input }: Record<string, unknown>) => answerOf(limit(input as Partial<Limit>)));
  onRemove.mockReset();
});

describe("a limit", () => {
  it("says its kind, name and use", async () => {
    await show([limit({ used: 2 }), limit({ id: "2", kind: "flow", name: "main/etl", slots: 0, used: 1 })]);
    expect(row("gpu").textContent).toContain("Label");
    expect(row("gpu").textContent).toContain("2 of 3 in use");
    expect(row("main/etl").textContent).toContain("Flow");
    expect(row("main/etl").textContent).toMatch(/paused/);
  });

  it("of starts says its period, and what has started in the last", async () => {
    const rate = limit({
      kind: "task_rate",
      name: "api",
      slots: 60,
      per: 60,
      used: 2,
      holders: [holder(1), holder(2)],
    });
    const page = await show([rate]);
    expect(row("api").textContent).toContain("Task rate");
    expect(row("api").textContent).toContain("starts in any minute");
    expect(row("api").textContent).toContain("2 starts in the last minute");
    expect(row("api").textContent).toContain("otter 1 at ");
    await page.user.clear(field("api"));
    await page.user.type(field("api"), "30{Enter}");
    expect(inputs()).toEqual([{ kind: "task_rate", name: "api", slots: 30, per: 60 }]);
    await waitFor(() => expect(notices()[0]).toContain("60 → 30 starts"));
  });

  it("draws a block for each slot, and a bar where they are too many", async () => {
    await show([limit({ used: 1 }), limit({ id: "2", name: "wide", slots: 500, used: 250 })]);
    expect([...row("gpu").querySelectorAll(".block")].map((block) => block.className)).toEqual([
      "block block-used",
      "block block-free",
      "block block-free",
    ]);
    expect(row("wide").querySelectorAll(".block")).toHaveLength(0);
    expect(row("wide").querySelector<HTMLElement>(".blocks-bar i")?.style.width).toBe("50%");
  });

  it("can only be read by those who may not change it", async () => {
    await show([limit()], false);
    expect(screen.queryByRole("textbox")).toBeNull();
    expect(screen.queryByRole("button", { name: /^Remove/ })).toBeNull();
  });

  it("is removed by asking first, elsewhere", async () => {
    const one = limit();
    const page = await show([one]);
    await page.user.click(screen.getByRole("button", { name: /^Remove the limit of gpu/ }));
    expect(onRemove).toHaveBeenCalledExactlyOnceWith(one);
  });
});

describe("the slots, where they stand", () => {
  it("are set by Enter", async () => {
    const page = await show([limit()]);
    await page.user.clear(field());
    await page.user.type(field(), "5{Enter}");
    expect(inputs()).toEqual([{ kind: "label", name: "gpu", slots: 5, per: null }]);
  });

  it("are set by leaving the field", async () => {
    const page = await show([limit()]);
    await page.user.clear(field());
    await page.user.type(field(), "0");
    await page.user.tab();
    expect(inputs()).toEqual([{ kind: "label", name: "gpu", slots: 0, per: null }]);
  });

  it("are sent once, by Enter and leaving the field", async () => {
    const answer = held<object>();
    server.onField(SET, () => answer.promise);
    const page = await show([limit()]);
    await page.user.clear(field());
    await page.user.type(field(), "5{Enter}");
    fireEvent.blur(field());
    expect(inputs()).toHaveLength(1);
    expect(field().disabled).toBe(true);
    answer.release(answerOf(limit({ slots: 5 })));
    await waitFor(() => expect(field().disabled).toBe(false));
  });

  it("are not sent when they are the same", async () => {
    const page = await show([limit()]);
    await page.user.type(field(), "{Enter}");
    fireEvent.blur(field());
    expect(inputs()).toEqual([]);
  });

  it("go back to what they were by Escape", async () => {
    const page = await show([limit()]);
    await page.user.clear(field());
    await page.user.type(field(), "77{Escape}");
    expect(field().value).toBe("3");
    fireEvent.blur(field());
    expect(inputs()).toEqual([]);
  });

  it("say at the field what is wrong with them, and are not sent", async () => {
    const page = await show([limit()]);
    await page.user.clear(field());
    await page.user.type(field(), "many{Enter}");
    const error = document.getElementById(field().getAttribute("aria-describedby") ?? "");
    expect(error?.textContent).toMatch(/whole number/);
    expect(field().getAttribute("aria-invalid")).toBe("true");
    fireEvent.blur(field());
    expect(field().value).toBe("3");
    expect(inputs()).toEqual([]);
  });

  it("follow what somebody else has set", async () => {
    const page = await show([limit()]);
    page.rerender(<LimitsTable limits={[limit({ slots: 8 })]} isEditable onRemove={onRemove} />);
    await waitFor(() => expect(field().value).toBe("8"));
  });

  it("say what was changed, with a way back", async () => {
    const page = await show([limit()]);
    await page.user.clear(field());
    await page.user.type(field(), "5{Enter}");
    await waitFor(() => expect(notices()).toHaveLength(1));
    expect(notices()[0]).toContain("3 → 5 slots");
    await page.user.click(screen.getByRole("button", { name: "Undo" }));
    expect(inputs().at(-1)).toEqual({ kind: "label", name: "gpu", slots: 3, per: null });
    await waitFor(() => expect(notices().at(-1)).toContain("3 slots again"));
  });

  it("say why the server refused them", async () => {
    server.onField(SET, () => graphqlError("forbidden", "You may not."));
    const page = await show([limit()]);
    await page.user.clear(field());
    await page.user.type(field(), "5{Enter}");
    await waitFor(() => expect(notices()[0]).toContain("You may not."));
  });
});

describe("who holds a limit", () => {
  const many = (count: number, used = count) =>
    limit({ slots: 10, used, holders: Array.from({ length: count }, (_, index) => holder(index)) });
  const names = () =>
    within(row("gpu"))
      .queryAllByRole("link")
      .map((link) => link.textContent);

  it("is nobody while none is used", async () => {
    await show([limit()]);
    expect(names()).toEqual([]);
  });

  it("is a link to the run, with the task of a limit of tasks", async () => {
    await show([limit({ used: 1, holders: [holder(7, { taskSlug: "fetch", mapIndex: 2 })] })]);
    expect(within(row("gpu")).getByRole("link").getAttribute("href")).toBe("/runs/run-7");
    expect(row("gpu").textContent).toContain("fetch[2]");
  });

  it("are three at first, and all when they are asked for", async () => {
    const page = await show([many(5)]);
    expect(names()).toHaveLength(3);
    await page.user.click(screen.getByRole("button", { name: "Show 2 more" }));
    expect(names()).toHaveLength(5);
    await page.user.click(screen.getByRole("button", { name: "Show fewer" }));
    expect(names()).toHaveLength(3);
  });

  it("are said to be only the first ones where there are more than the server names", async () => {
    const page = await show([many(5, 9)]);
    await page.user.click(screen.getByRole("button", { name: /^Show/ }));
    expect(row("gpu").textContent).toMatch(/Showing the 5 longest/);
  });
});
