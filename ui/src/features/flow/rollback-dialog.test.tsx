import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { flow } from "../../test/builders";
import { notices, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, graphqlError } from "../../test/server";
import RollbackDialog from "./rollback-dialog";
import { VersionCard } from "./version-cards";

const PREVIEW = { version: 4, schedules: ['Schedule "At 06:00" was added.'], warnings: ["No agent."], closed: "" };
const PARTS = [{ part: "tasks", added: ["load-1"], removed: [], changed: [] }];
let server: FakeServer;
const closed = vi.fn();
const show = () => renderPage(<RollbackDialog flow={flow()} to={1} onClose={closed} />);
const roll = () => screen.getByRole<HTMLButtonElement>("button", { name: "Roll back" });

beforeEach(() => {
  closed.mockClear();
  server = fakeServer();
  server.onField("rollbackPreview", { rollbackPreview: PREVIEW });
  server.onField("versionComparison", { versionComparison: { parts: PARTS } });
  server.onField("rollBackFlow", { rollBackFlow: { rollback: { version: 4, warnings: ["No agent."] } } });
});

describe("rolling back", () => {
  it("shows what differs, then does it on the version that was seen, with the reason", async () => {
    const page = await show();
    await screen.findByText("+ load-1");
    expect(server.variables("versionComparison")).toEqual([{ flowId: "flow-1", before: 3, after: 1 }]);
    expect(screen.getByRole("list", { name: "Schedules" }).textContent).toContain('"At 06:00" was added');
    expect(screen.getByText("No agent.")).toBeTruthy();
    await page.user.type(screen.getByLabelText(/^Reason/), "wrong totals");
    await page.user.click(roll());
    expect(server.variables("rollBackFlow")).toEqual([
      {
        input: {
          flowId: "flow-1",
          to: 1,
          newest: 3,
          reason: "wrong totals",
          idempotencyKey: expect.stringMatching(/^[0-9a-f]{32}$/),
        },
      },
    ]);
    await waitFor(() => expect(notices()[0]).toContain("etl: version 4 is a copy of version 1. No agent."));
    expect(closed).toHaveBeenCalledOnce();
  });

  it("that came too late shows the differences from the version that was registered meanwhile", async () => {
    const newer = flow();
    server.onField("flow", { flow: { ...newer, version: { ...newer.version, number: 4 } } });
    server.onField("rollBackFlow", () => graphqlError("conflict", "Version 4 was registered.", { version: 4 }));
    const page = await show();
    await waitFor(() => expect(roll().disabled).toBe(false));
    await page.user.click(roll());
    await screen.findByText(/Version 4 was registered in the meantime; nothing was changed/);
    await waitFor(() =>
      expect(server.variables("versionComparison")[1]).toEqual({ flowId: "flow-1", before: 4, after: 1 }),
    );
    server.onField("rollBackFlow", { rollBackFlow: { rollback: { version: 5, warnings: [] } } });
    await waitFor(() => expect(roll().disabled).toBe(false));
    await page.user.click(roll());
    await waitFor(() => expect(closed).toHaveBeenCalledOnce());
    expect(server.variables("rollBackFlow")[1]).toMatchObject({ input: { newest: 4 } });
  });

  it("that would change nothing says so, and can't be done", async () => {
    server.onField("rollbackPreview", () => graphqlError("conflict", "There is nothing to roll back."));
    await show();
    await screen.findByText("There is nothing to roll back.");
    expect(roll().disabled).toBe(true);
  });

  it("to code that no agent takes can't be done", async () => {
    server.onField("rollbackPreview", { rollbackPreview: { ...PREVIEW, closed: "It is in none of the folders." } });
    await show();
    await screen.findByText("It is in none of the folders.");
    expect(roll().disabled).toBe(true);
  });
});

describe("the list of versions", () => {
  const entry = { restores: null, changes: [], createdBy: "alice", created: "2026-11-22T06:00:00Z" };
  const some = (more: object = {}) => flow([], { versions: [3, 2].map((number) => ({ number, ...entry })), ...more });
  const buttons = () => within(screen.getByRole("list", { name: "Earlier versions" })).queryAllByRole("button");

  it("offers it for each earlier one", async () => {
    const page = await renderPage(<VersionCard flow={some()} hasEarlier />, { permissions: ["flows:register"] });
    expect(buttons().map((button) => button.getAttribute("aria-label"))).toEqual(["Roll back to version 2"]);
    await page.user.click(screen.getByRole("button", { name: "Roll back to version 2" }));
    await screen.findByRole("alertdialog", { name: "Roll etl back to version 2?" });
  });

  it("does not offer it to those who may not, nor for a flow in the archive", async () => {
    const page = await renderPage(<VersionCard flow={some()} hasEarlier />, { permissions: [] });
    expect(buttons()).toEqual([]);
    page.unmount();
    await renderPage(<VersionCard flow={some({ archived: true })} hasEarlier />, { permissions: ["flows:register"] });
    expect(buttons()).toEqual([]);
  });
});
