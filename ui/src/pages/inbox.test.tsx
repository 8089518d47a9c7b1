import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, it } from "vitest";
import type { KnownFailure } from "../api/known-failures";
import { renderPage } from "../test/render";
import { type FakeServer, fakeServer } from "../test/server";
import { InboxPage } from "./inbox";

let server: FakeServer;

function failure(more: Partial<KnownFailure> = {}): KnownFailure {
  return {
    id: "known-1",
    projectName: "main",
    flowId: "flow-1",
    flowName: "etl",
    flowOwner: "data-team",
    taskSlug: "load",
    message: "disk full",
    reason: "new disks",
    until: null,
    expired: false,
    markedBy: "maria",
    markedAt: "2026-11-22T06:00:00Z",
    lastRunId: "run-1",
    lastSeen: "2026-11-22T06:00:00Z",
    ...more,
  };
}

beforeEach(() => {
  server = fakeServer();
  server.onField("unmarkFailure", { unmarkFailure: { knownFailureId: "known-1" } });
});

it("lists what is known and what counts again, and takes marks off", async () => {
  const expired = failure({ id: "2", flowName: "dq", until: "2026-11-20T08:00:00Z", expired: true, taskSlug: null });
  server.onField("knownFailures", ({ after }) =>
    after === null
      ? { knownFailures: { items: [failure()], next: "cursor" } }
      : { knownFailures: { items: [expired], next: null } },
  );
  const page = await renderPage(<InboxPage />, { permissions: ["runs:mark"], path: "/inbox" });
  const [first, second] = (await screen.findAllByRole("rowheader")).map((cell) => cell.closest("tr") as HTMLElement);
  expect(first?.textContent).toMatch(/^etlmain · data-teamload: disk fullnew disksit is resolvedmaria/);
  expect(second?.textContent).toMatch(/^dqmain.*\(over\)maria/);
  await page.user.click(within(first as HTMLElement).getByRole("button"));
  await waitFor(() =>
    expect(server.variables("unmarkFailure")).toMatchObject([{ input: { knownFailureId: "known-1" } }]),
  );
});

it("lets viewers look, and says what it is for when there is nothing in it", async () => {
  server.onField("knownFailures", { knownFailures: { items: [failure()], next: null } });
  const page = await renderPage(<InboxPage />, { path: "/inbox" });
  await screen.findByRole("rowheader");
  expect(screen.queryByRole("button", { name: "Not known any more" })).toBeNull();
  server.onField("knownFailures", { knownFailures: { items: [], next: null } });
  void page.queries.invalidateQueries();
  expect(await screen.findByText("No known failures.")).toBeTruthy();
});
