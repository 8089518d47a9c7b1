/** Home stops the whole site: it pauses all starts for a while, and ends what runs, each after one question. */

import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, it } from "vitest";
import { notices, type Page, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, graphqlError } from "../../test/server";
import { SiteActions } from "./site-actions";

const ALL = ["maintenance:manage", "runs:bulk", "runs:cancel"];
const NO_MAINTENANCE = { active: false, until: null, by: "", reason: "" };

let server: FakeServer;

function systemWith(maintenance: object) {
  server.onField("server", {
    server: { agentNotSeparated: null },
    disk: { writable: true, freeBytes: null, totalBytes: null, warnings: [] },
    hold: { held: false, runs: 0, before: null },
    maintenance,
  });
}

beforeEach(() => {
  server = fakeServer();
  systemWith(NO_MAINTENANCE);
  server.onField("flowRuns", { cancel: { total: 7, totalCapped: false } });
});

const button = (name: RegExp) => screen.findByRole("button", { name });
const answer = async (page: Page, name: string) =>
  page.user.click(within(await screen.findByRole("alertdialog")).getByRole("button", { name }));

it("pauses all starts for the time that was chosen", async () => {
  server.onField("beginMaintenance", { beginMaintenance: { maintenance: { until: null } } });
  const page = await renderPage(<SiteActions running={0} />, { permissions: ALL });
  await page.user.click(await button(/Pause all starts/));
  await page.user.click(await screen.findByRole("radio", { name: "For 30 minutes" }));
  await page.user.type(screen.getByLabelText("Reason (optional)"), "new disks");
  await answer(page, "Begin maintenance");
  await waitFor(() => expect(notices()).toEqual(["Maintenance has begun; no runs start until it ends."]));
  expect(server.variables("beginMaintenance")).toEqual([{ input: { duration: 1_800, reason: "new disks" } }]);
});

it("keeps the question open with what the server said against it", async () => {
  server.onField("beginMaintenance", () => graphqlError("forbidden", "You may not begin maintenance."));
  const page = await renderPage(<SiteActions running={0} />, { permissions: ALL });
  await page.user.click(await button(/Pause all starts/));
  await page.user.click(await screen.findByRole("radio", { name: "Until somebody ends it" }));
  await answer(page, "Begin maintenance");
  expect(await screen.findByRole("alert")).toHaveProperty("textContent", "You may not begin maintenance.");
  expect(server.variables("beginMaintenance")).toEqual([{ input: { duration: null, reason: "" } }]);
});

it("stops what runs, and counts it first", async () => {
  const job = { id: "job-1", state: "done", total: 7, done: 7, refused: 0 };
  server.onField("bulkFlowRuns", { bulkFlowRuns: { job } });
  const page = await renderPage(<SiteActions running={8} />, { permissions: ALL });
  await page.user.click(await button(/Stop all runs/));
  expect(await screen.findByText("Stop 7 runs?")).toBeTruthy();
  await answer(page, "Stop runs");
  await waitFor(() => expect(notices()).toEqual(["7 runs stopped."]));
  const [variables] = server.variables("bulkFlowRuns") as { input: object }[];
  expect(variables?.input).toMatchObject({ action: "CANCEL", filter: { stateTypes: ["PENDING", "RUNNING"] } });
});

it.each([
  ["a viewer", [], 8, NO_MAINTENANCE, []],
  ["an operator on a quiet site", ["runs:bulk", "runs:cancel"], 0, NO_MAINTENANCE, []],
  ["an operator while something runs", ["runs:bulk", "runs:cancel"], 8, NO_MAINTENANCE, ["Stop all runs…"]],
  ["an administrator during maintenance", ALL, 8, { ...NO_MAINTENANCE, active: true, by: "bob" }, ["Stop all runs…"]],
  ["an administrator", ALL, 8, NO_MAINTENANCE, ["Pause all starts…", "Stop all runs…"]],
])("offers %s what applies", async (_who, permissions, running, maintenance, expected) => {
  systemWith(maintenance);
  await renderPage(<SiteActions running={running} />, { permissions });
  await waitFor(() => expect(server.variables("server")).toHaveLength(1));
  const buttons = () => screen.queryAllByRole("button", { name: /…/ }).map((one) => one.textContent);
  await waitFor(() => expect(buttons()).toEqual(expected));
});
