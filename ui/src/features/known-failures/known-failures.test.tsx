/** A failure is marked as known from where it is seen, and unmarked from the page of its run. */

import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, it } from "vitest";
import { run } from "../../test/builders";
import { notices, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, graphqlError } from "../../test/server";
import { CauseCard } from "../run/cause-card";

const MAY = ["runs:mark"];
const CAUSE = {
  taskSlug: "load",
  mapIndex: null,
  message: "disk full",
  location: null,
  attempts: 1,
  notRun: 0,
  otherRoots: 0,
  exitCode: null,
  signal: null,
  tail: [],
  lastSuccess: null,
  firstErrorLogId: null,
  known: null,
};
const KNOWN = { id: "known-1", until: null, reason: "new disks", markedBy: "maria", markedAt: "2026-11-22T06:00:00Z" };

let server: FakeServer;
const button = (name: string) => screen.findByRole("button", { name });
const inputs = (field: string) => server.variables(field).map(({ input }) => input as Record<string, unknown>);

function card(cause: object = {}) {
  const failed = run({ cause: { ...CAUSE, ...cause } });
  return <CauseCard run={failed} showInLog={() => {}} onAnywhere={() => {}} approvals={null} />;
}

beforeEach(() => {
  server = fakeServer();
  server.onField("markFailure", { markFailure: { knownFailure: { id: "known-1" } } });
  server.onField("unmarkFailure", { unmarkFailure: { knownFailureId: "known-1" } });
});

it("marks the failure of a run in two clicks, until Monday morning", async () => {
  const page = await renderPage(card(), { permissions: MAY });
  await page.user.click(await button("Mark as known…"));
  const dialog = within(await screen.findByRole("alertdialog"));
  await page.user.click(dialog.getByRole("button", { name: "Mark as known" }));
  await waitFor(() => expect(notices()).toEqual(["The failure of etl is known."]));
  const [{ until, ...rest } = {}] = inputs("markFailure");
  const at = new Date(String(until));
  expect([at.getDay(), at.getHours(), at.getTime() > Date.now()]).toEqual([1, 8, true]);
  expect(rest).toEqual({ flowRunId: "run-1", reason: "", idempotencyKey: expect.any(String) });
});

it("marks it for as long as it fails, for a reason, and keeps the dialog with what the server says against it", async () => {
  server.onField("markFailure", () => graphqlError("conflict", "The flow has succeeded since."));
  const page = await renderPage(card(), { permissions: MAY });
  await page.user.click(await button("Mark as known…"));
  await page.user.click(await screen.findByRole("radio", { name: "Until it is resolved" }));
  await page.user.type(screen.getByLabelText("Reason (optional)"), "new disks");
  await page.user.click(await button("Mark as known"));
  expect((await screen.findByRole("alert")).textContent).toBe("The flow has succeeded since.");
  expect(inputs("markFailure")).toMatchObject([{ until: null, reason: "new disks" }]);
});

it("asks for a time that can be one", async () => {
  const page = await renderPage(card(), { permissions: MAY });
  await page.user.click(await button("Mark as known…"));
  await page.user.click(await screen.findByRole("radio", { name: "At most until another time" }));
  await page.user.click(await button("Mark as known"));
  expect(await screen.findByText(/^Enter a date and a time/)).toBeTruthy();
  expect(inputs("markFailure")).toEqual([]);
});

it("says on the page of a run who knows its failure, and takes that back", async () => {
  const page = await renderPage(card({ known: KNOWN }), { permissions: MAY });
  expect((await screen.findByText(/^Known since/)).textContent).toMatch(/by maria, until it is resolved$/);
  expect(screen.getByText("new disks")).toBeTruthy();
  await page.user.click(await button("Not known any more"));
  await waitFor(() => expect(inputs("unmarkFailure")).toMatchObject([{ knownFailureId: "known-1" }]));
});

it.each([
  ["to those who may not mark it", {}, []],
  ["once the flow has succeeded", { lastSuccess: "2099-01-01T00:00:00Z" }, MAY],
])("offers nothing %s", async (_, cause, permissions) => {
  await renderPage(card(cause), { permissions });
  expect(await button("Copy error")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Mark as known…" })).toBeNull();
});
