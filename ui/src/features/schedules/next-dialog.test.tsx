import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import { schedule } from "../../test/builders";
import { notices, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, graphqlError, held } from "../../test/server";
import NextDialog from "./next-dialog";

const time = (day: number, skipped: string | null = null) => ({
  at: `2026-12-0${day}T01:30:00Z`,
  local: `2026-12-0${day}T02:30:00+01:00`,
  notes: [],
  skipped,
});
const answer = (...times: object[]) => ({
  scheduleNext: { description: "At 02:30", timezone: "Europe/Berlin", times, dropped: [], missing: [] },
});
let server: FakeServer;

const show = (permissions: readonly string[] = ["schedules:edit"]) =>
  renderPage(<NextDialog schedule={schedule()} onClose={() => undefined} />, { permissions });
const items = () => within(screen.getByRole("list")).getAllByRole("listitem");

beforeEach(() => {
  server = fakeServer();
  server.onField("scheduleNext", answer(time(1), time(2, "Skipped by alice: closed")));
});

describe("a due time", () => {
  it("that is skipped is struck through, with who skipped it and why", async () => {
    await show();
    await screen.findByRole("list");
    const [one, other] = items();
    expect(one?.querySelector("del")).toBeNull();
    expect(other?.querySelector("del")?.textContent).toBe("Wed, 2 Dec 2026 02:30");
    expect(other?.textContent).toContain("No run. Skipped by alice: closed");
  });

  it("is skipped once, and the list is asked for again", async () => {
    const skipped = held<object>();
    server.onField("skipDueTime", () => skipped.promise);
    const page = await show();
    await page.user.click(await screen.findByRole("button", { name: "Skip Tue, 1 Dec 2026 02:30" }));
    await page.user.click(screen.getByRole("button", { name: "Skip Tue, 1 Dec 2026 02:30" }));
    expect(server.variables("skipDueTime")).toEqual([
      {
        input: {
          scheduleId: "schedule-1",
          at: "2026-12-01T01:30:00Z",
          idempotencyKey: expect.stringMatching(/^[0-9a-f]{32}$/),
        },
      },
    ]);
    server.onField("scheduleNext", answer(time(1, "Skipped by you."), time(2)));
    skipped.release({ skipDueTime: { dueTime: { at: "2026-12-01T01:30:00Z" } } });
    await screen.findByRole("button", { name: "Restore Tue, 1 Dec 2026 02:30" });
  });

  it("is restored", async () => {
    server.onField("unskipDueTime", { unskipDueTime: { dueTime: { at: "2026-12-02T01:30:00Z" } } });
    const page = await show();
    await page.user.click(await screen.findByRole("button", { name: "Restore Wed, 2 Dec 2026 02:30" }));
    expect(server.variables("unskipDueTime")).toMatchObject([{ input: { at: "2026-12-02T01:30:00Z" } }]);
  });

  it("whose run has just started says so, and the list is asked for again", async () => {
    server.onField("skipDueTime", () => graphqlError("conflict", "The run of this time is Running already."));
    const page = await show();
    const button = await screen.findByRole("button", { name: /^Skip Tue/ });
    server.onField("scheduleNext", answer(time(2)));
    await page.user.click(button);
    await waitFor(() => expect(notices()[0]).toContain("is Running already"));
    await waitFor(() => expect(items()).toHaveLength(1));
  });

  it("is only looked at by those who may not edit schedules", async () => {
    await show([]);
    await screen.findByRole("list");
    expect(screen.queryByRole("button", { name: /^(Skip|Restore)/ })).toBeNull();
  });
});
