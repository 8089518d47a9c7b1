import { screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { schedule } from "../../test/builders";
import { notices, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, graphqlError } from "../../test/server";
import DeleteDialog from "./delete-dialog";

let server: FakeServer;
const closed = vi.fn();
const show = (more: object = {}) =>
  renderPage(<DeleteDialog schedule={schedule({ origin: "ui", ...more })} onClose={closed} />, {
    permissions: ["schedules:edit"],
  });
const dialog = () => screen.getByRole("alertdialog");

beforeEach(() => {
  closed.mockClear();
  server = fakeServer();
  server.onField("scheduleDeletion", { scheduleDeletion: { plannedRuns: 1 } });
  server.onField("deleteSchedule", { deleteSchedule: { scheduleId: "schedule-1" } });
});

describe("deleting a schedule", () => {
  it("says what goes and that it can't be undone, then does it", async () => {
    const page = await show();
    await waitFor(() => expect(dialog().textContent).toContain("deletes the schedule and 1 planned run, for good"));
    expect(dialog().textContent).toContain("It can't be undone.");
    await page.user.click(screen.getByRole("button", { name: "Delete schedule" }));
    expect(server.variables("deleteSchedule")).toEqual([
      { input: { scheduleId: "schedule-1", idempotencyKey: expect.stringMatching(/^[0-9a-f]{32}$/) } },
    ]);
    await waitFor(() => expect(notices()[0]).toMatch(/^At 06:00: deleted/));
    expect(closed).toHaveBeenCalledOnce();
  });

  it("is not done before it was counted", async () => {
    server.onField("scheduleDeletion", () => graphqlError("internal", "It broke."));
    await show();
    await screen.findByText("It broke.");
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Delete schedule" }).disabled).toBe(true);
  });

  it("stays open with the server's sentence if it was refused", async () => {
    server.onField("deleteSchedule", () => graphqlError("not_found", "There is no such schedule."));
    const page = await show();
    await screen.findByText(/1 planned run/);
    await page.user.click(screen.getByRole("button", { name: "Delete schedule" }));
    await screen.findByText("There is no such schedule.");
    expect(closed).not.toHaveBeenCalled();
  });
});

describe("a schedule that the code declares", () => {
  it("can't be deleted, but paused", async () => {
    server.onField("setScheduleActive", { setScheduleActive: { id: "schedule-1" } });
    const page = await show({ origin: "code" });
    expect(dialog().textContent).toContain("no deployment turns it on again");
    expect(screen.queryByRole("button", { name: "Delete schedule" })).toBeNull();
    await page.user.click(screen.getByRole("button", { name: "Pause schedule" }));
    expect(server.variables("setScheduleActive")).toEqual([{ input: { scheduleId: "schedule-1", active: false } }]);
    await waitFor(() => expect(closed).toHaveBeenCalledOnce());
    expect(server.variables("scheduleDeletion")).toEqual([]);
  });

  it("that is paused says so", async () => {
    await show({ origin: "code", active: false });
    expect(dialog().textContent).toContain("It stays paused");
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Paused already" }).disabled).toBe(true);
  });
});
