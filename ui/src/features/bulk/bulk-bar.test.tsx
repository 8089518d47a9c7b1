import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { RunRow } from "../../api/flow-runs";
import { NOTHING, type Selection } from "../../lib/selection";
import { runRow, state } from "../../test/builders";
import { notices, type Page, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, graphqlError } from "../../test/server";
import { BulkBar } from "./bulk-bar";

const ALL = ["runs:bulk", "runs:restart", "runs:edit", "runs:cancel", "runs:mark", "runs:delete"];
const SINCE = "2026-11-23T06:00:00.000Z";
const FAILED = runRow({ id: "1", name: "one", state: state("FAILED") });
const ENDED = runRow({ id: "2", name: "two" });
const RUNNING = runRow({ id: "3", name: "three", state: state("RUNNING") });

let server: FakeServer;
const onAll = vi.fn();
const onClear = vi.fn();

interface Choice {
  runs?: readonly RunRow[];
  total?: number;
  totalCapped?: boolean;
  all?: boolean;
  permissions?: readonly string[];
  role?: "viewer" | "operator";
}

function show({ runs = [], total = 10, totalCapped = false, all, permissions = ALL, role }: Choice): Promise<Page> {
  const selection: Selection = all
    ? { ...NOTHING, allSince: SINCE }
    : { ...NOTHING, ids: new Set(runs.map((run) => run.id)) };
  const bar = (
    <BulkBar
      selection={selection}
      selected={runs}
      filter={{}}
      total={{ total, totalCapped }}
      onAll={onAll}
      onClear={onClear}
    />
  );
  return renderPage(bar, { permissions, role });
}

const bar = () => screen.getByRole("region", { name: "Selected runs" });
const buttons = () =>
  within(bar())
    .getAllByRole("button")
    .map((button) => button.textContent);
const press = (page: Page, name: RegExp) => page.user.click(screen.getByRole("button", { name }));
const question = () => screen.getByRole("alertdialog");
const answer = (page: Page, name: string) => page.user.click(within(question()).getByRole("button", { name }));
const finished = { id: "job-1", state: "done", total: 2, done: 2, refused: 0 };
const input = () => server.variables("bulkFlowRuns").map((variables) => variables.input as Record<string, unknown>);

beforeEach(() => {
  server = fakeServer();
  server.onField("bulkFlowRuns", { bulkFlowRuns: { job: finished } });
  onAll.mockReset();
  onClear.mockReset();
});

describe("the bar", () => {
  it("is not there while nothing is selected", async () => {
    await show({});
    expect(screen.queryByRole("region", { name: "Selected runs" })).toBeNull();
  });

  it("offers what some of the selected runs can take, each with how many", async () => {
    await show({ runs: [FAILED, ENDED, RUNNING] });
    expect(screen.getByRole("status").textContent).toBe("3 selected");
    expect(buttons()).toEqual([
      "Select all 10 matches",
      "Restart 1 from failed…",
      "Stop 1…",
      "Mark 2 as…",
      "Delete 2…",
      "Clear",
    ]);
  });

  it("offers only what the person may do", async () => {
    await show({ runs: [FAILED, RUNNING], permissions: ["runs:bulk", "runs:cancel"], total: 2 });
    expect(buttons()).toEqual(["Stop 1…", "Clear"]);
  });

  it("offers nothing to those who may not act on many at once", async () => {
    await show({ runs: [FAILED], permissions: ALL.slice(1), total: 1 });
    expect(buttons()).toEqual(["Clear"]);
  });

  it("can't be used by a viewer", async () => {
    await show({ runs: [FAILED], role: "viewer", total: 1 });
    expect(screen.getByRole<HTMLButtonElement>("button", { name: /^Delete/ }).disabled).toBe(true);
  });

  it("offers all that match only where there are more", async () => {
    const page = await show({ runs: [FAILED], total: 1 });
    expect(buttons()).not.toContain("Select all 1 matches");
    page.unmount();
    const more = await show({ runs: [FAILED], total: 10_000, totalCapped: true });
    await press(more, /^Select all 10,000\+ matches/);
    expect(onAll).toHaveBeenCalledOnce();
  });

  it("clears", async () => {
    const page = await show({ runs: [FAILED] });
    await press(page, /^Clear/);
    expect(onClear).toHaveBeenCalledOnce();
  });
});

describe("all that match", () => {
  it("asks the server how many can take each action, in one question", async () => {
    server.onField("flowRuns", {
      restart: { total: 4, totalCapped: false },
      cancel: { total: 0, totalCapped: false },
      delete: { total: 10_000, totalCapped: true },
    });
    await show({ all: true, total: 12_000 });
    await screen.findByRole("button", { name: /^Restart 4/ });
    expect(buttons()).toEqual(["Restart 4 from failed…", "Delete 10,000+…", "Clear"]);
    expect(server.variables("flowRuns")).toHaveLength(1);
    expect(server.variables("flowRuns")[0]?.restart).toEqual({ stateTypes: ["FAILED", "CANCELLED"], until: SINCE });
  });

  it("acts on the filter, not on ids", async () => {
    server.onField("flowRuns", { cancel: { total: 4, totalCapped: false } });
    const page = await show({ all: true, total: 12 });
    await page.user.click(await screen.findByRole("button", { name: /^Stop 4/ }));
    await answer(page, "Stop runs");
    expect(input()[0]).toMatchObject({
      action: "CANCEL",
      filter: { stateTypes: ["SCHEDULED", "PENDING", "PAUSED", "RUNNING"], until: SINCE },
    });
    expect(input()[0]).not.toHaveProperty("ids");
  });
});

describe("the question", () => {
  it("names the runs, and says which of the selected stay as they are", async () => {
    const page = await show({ runs: [FAILED, ENDED, RUNNING] });
    await press(page, /^Restart 1/);
    expect(
      within(question())
        .getAllByRole("listitem")
        .map((item) => item.textContent),
    ).toEqual(["etl one"]);
    expect(question().textContent).toContain("2 runs in the selection can't be changed and stay as they are.");
  });

  it("names five runs at most", async () => {
    const many = Array.from({ length: 8 }, (_, index) => runRow({ id: `${index}`, name: `run ${index}` }));
    const page = await show({ runs: many });
    await press(page, /^Delete 8/);
    const items = within(question()).getAllByRole("listitem");
    expect(items).toHaveLength(6);
    expect(items[5]?.textContent).toBe("and 3 more");
  });

  it("sends the runs, the reason and a key, and clears the selection", async () => {
    const page = await show({ runs: [FAILED, ENDED] });
    await press(page, /^Delete 2/);
    await page.user.type(within(question()).getByRole("textbox"), "old");
    await answer(page, "Delete");
    expect(input()).toEqual([
      { action: "DELETE", ids: ["1", "2"], reason: "old", idempotencyKey: expect.stringMatching(/^[0-9a-f]{32}$/) },
    ]);
    expect(onClear).toHaveBeenCalledOnce();
    expect(screen.queryByRole("alertdialog")).toBeNull();
    expect(notices()).toEqual(["2 runs deleted."]);
  });

  it("asks which state to mark as, and sends the server's name of it", async () => {
    const page = await show({ runs: [ENDED] });
    await press(page, /^Mark 1/);
    await page.user.selectOptions(within(question()).getByRole("combobox"), "Skipped");
    await answer(page, "Mark");
    expect(input()[0]).toMatchObject({ action: "MARK", ids: ["2"], state: "SKIPPED" });
  });

  it("sends no state with any other action", async () => {
    const page = await show({ runs: [FAILED] });
    await press(page, /^Restart 1/);
    await answer(page, "Restart");
    expect(input()[0]).not.toHaveProperty("state");
  });

  it("changes nothing when it is closed", async () => {
    const page = await show({ runs: [FAILED] });
    await press(page, /^Delete 1/);
    await answer(page, "Keep as is");
    expect(screen.queryByRole("alertdialog")).toBeNull();
    expect(input()).toEqual([]);
    expect(onClear).not.toHaveBeenCalled();
  });

  it("stays with the server's sentence where it was refused, and is sent again under the same key", async () => {
    const page = await show({ runs: [FAILED] });
    server.onField("bulkFlowRuns", () => graphqlError("forbidden", "You may not."));
    await press(page, /^Delete 1/);
    await answer(page, "Delete");
    expect((await within(question()).findByRole("alert")).textContent).toBe("You may not.");
    expect(onClear).not.toHaveBeenCalled();
    await answer(page, "Delete");
    expect(input()).toHaveLength(2);
    expect(input()[0]?.idempotencyKey).toBe(input()[1]?.idempotencyKey);
  });
});

describe("the outcome", () => {
  it("of many runs is a job, whose page opens", async () => {
    server.onField("bulkFlowRuns", { bulkFlowRuns: { job: { ...finished, state: "running", total: 500 } } });
    const page = await show({ runs: [FAILED] });
    await press(page, /^Delete 1/);
    await answer(page, "Delete");
    await waitFor(() => expect(page.address()).toBe("/jobs/job-1"));
  });

  it("says what was left as it was, with a way to the reasons", async () => {
    server.onField("bulkFlowRuns", { bulkFlowRuns: { job: { ...finished, done: 1, refused: 1 } } });
    const page = await show({ runs: [FAILED, ENDED] });
    await press(page, /^Delete 2/);
    await answer(page, "Delete");
    expect(notices().at(-1)).toMatch(/^1 done · 1 not changed\./);
    expect(screen.getByRole<HTMLAnchorElement>("link", { name: "See why" }).getAttribute("href")).toBe("/jobs/job-1");
  });
});
