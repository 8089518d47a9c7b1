import { screen, within } from "@testing-library/react";
import { type ComponentProps, useState } from "react";
import { beforeEach, describe, expect, it } from "vitest";
import type { Flow } from "../../api/flows";
import { flow } from "../../test/builders";
import { type Page, renderPage } from "../../test/render";
import { type FakeServer, fakeServer } from "../../test/server";
import { CompareVersions } from "./compare-versions";
import { FlowMenu } from "./flow-menu";

const NUMBERS = { flows: 1, versions: 2, schedules: 1, runs: 12, taskRuns: 30, logs: 400, liveRuns: 0, results: 3 };
const JOB = {
  id: "job-1",
  kind: "delete_flow",
  state: "done",
  message: "",
  total: 12,
  done: 12,
  refused: 0,
  request: {},
};
let server: FakeServer;

beforeEach(() => {
  server = fakeServer();
  server.onField("editFlow", { editFlow: { flow: { id: "flow-1" } } });
  server.onField("editProject", { editProject: { project: { id: "project-1" } } });
  server.onField("flowDeletion", { flowDeletion: NUMBERS });
  server.onField("deleteFlow", { deleteFlow: { job: JOB } });
});

async function menu(more: Partial<Flow> = {}, permissions = ["flows:edit", "flows:delete"]): Promise<Page> {
  const page = await renderPage(<FlowMenu flow={flow([], more)} />, {
    path: "/flows/flow-1",
    role: "admin",
    permissions,
  });
  const button = screen.queryByRole("button", { name: "More actions" });
  if (button) await page.user.click(button);
  return page;
}

const choose = (page: Page, name: string) => page.user.click(screen.getByRole("menuitem", { name }));
const items = () => screen.queryAllByRole("menuitem").map((item) => item.textContent);
const inputs = (field: string) =>
  server.variables(field).map((variables) => variables.input as Record<string, unknown>);

describe("the menu of a flow", () => {
  it("has what the flow's state allows", async () => {
    await menu({ paused: true });
    expect(items()).toEqual([
      "Rename…",
      "Resume",
      "Archive…",
      "Delete…",
      "Rename project…",
      "Pause project",
      "Archive project…",
      "Delete project…",
    ]);
  });

  it("offers deletion only to those who may delete", async () => {
    await menu({ archived: true }, ["flows:edit"]);
    expect(items()).toEqual([
      "Rename…",
      "Pause",
      "Take out of the archive",
      "Rename project…",
      "Pause project",
      "Archive project…",
    ]);
  });

  it("leaves it to a paused project to go on", async () => {
    await menu({ paused: true, project: { id: "project-1", name: "main", archived: false, paused: true } });
    expect(items().slice(0, 5)).toEqual(["Rename…", "Archive…", "Delete…", "Rename project…", "Resume project"]);
  });

  it("is not there for viewers", async () => {
    await menu({}, []);
    expect(screen.queryByRole("button", { name: "More actions" })).toBeNull();
  });

  it("pauses at once", async () => {
    const page = await menu();
    await choose(page, "Pause");
    await screen.findByText("Paused etl.");
    expect(inputs("editFlow")).toMatchObject([{ flowId: "flow-1", paused: true }]);
  });

  it("renames the project, and refuses the same name", async () => {
    const page = await menu();
    await choose(page, "Rename project…");
    const name = screen.getByLabelText("Name");
    expect(screen.getByRole("button", { name: "Rename" })).toHaveProperty("disabled", true);
    await page.user.clear(name);
    await page.user.type(name, "finance");
    await page.user.click(screen.getByRole("button", { name: "Rename" }));
    await screen.findByText("Renamed main to finance.");
    expect(inputs("editProject")).toMatchObject([{ projectId: "project-1", name: "finance" }]);
  });
});

describe("deleting", () => {
  it("says first what goes and what stays, and asks for the name", async () => {
    const page = await menu();
    await choose(page, "Delete…");
    const list = await screen.findByRole("list", { name: "What is deleted" });
    const lines = within(list)
      .getAllByRole("listitem")
      .map((item) => item.textContent);
    expect(lines).toEqual(["2 versions", "1 schedule", "12 runs", "30 task runs", "400 log lines"]);
    expect(screen.getByText(/Not deleted here: 3 stored results/)).toBeTruthy();
    const confirm = screen.getByRole("button", { name: "Delete flow" });
    expect(confirm).toHaveProperty("disabled", true);
    await page.user.type(screen.getByLabelText("Type etl to confirm"), "etl");
    await page.user.click(confirm);
    await screen.findByText("Deleted etl.");
    expect(inputs("deleteFlow")).toMatchObject([{ flowId: "flow-1", cancelRuns: false }]);
  });

  it("waits for the word that runs in progress are cancelled", async () => {
    server.onField("flowDeletion", { flowDeletion: { ...NUMBERS, liveRuns: 1 } });
    const page = await menu();
    await choose(page, "Delete…");
    const cancel = await screen.findByLabelText("Cancel 1 run in progress first");
    await page.user.type(screen.getByLabelText("Type etl to confirm"), "etl");
    expect(screen.getByRole("button", { name: "Delete flow" })).toHaveProperty("disabled", true);
    await page.user.click(cancel);
    await page.user.click(screen.getByRole("button", { name: "Delete flow" }));
    await screen.findByText("Deleted etl.");
    expect(inputs("deleteFlow")).toMatchObject([{ cancelRuns: true }]);
  });
});

function Compared(props: Pick<ComponentProps<typeof CompareVersions>, "flow">) {
  const [pair, setPair] = useState({});
  return <CompareVersions {...props} pair={pair} onChange={setPair} />;
}

describe("two versions", () => {
  it("are compared, the newest with the one before at first", async () => {
    const entry = { restores: null, changes: [], created: "2026-11-22T06:00:00Z", createdBy: "alice" };
    const versions = [3, 2, 1].map((number) => ({ number, ...entry }));
    const parts = [
      { part: "tasks", added: ["report-1"], removed: ["load-1"], changed: [] },
      { part: "run_config", added: [], removed: [], changed: [{ name: "image", field: "", before: "a", after: "b" }] },
    ];
    server.onField("versionComparison", { versionComparison: { parts } });
    const page = await renderPage(<Compared flow={flow([], { versions })} />, { path: "/flows/flow-1" });
    await screen.findByText(/report-1/);
    expect(screen.getByText("Run config")).toBeTruthy();
    expect(screen.getByText(/image:/).textContent).toBe('image: changed from "a" to "b"');
    await page.user.selectOptions(screen.getByLabelText("From"), "1");
    await screen.findByText(/report-1/);
    expect(server.variables("versionComparison")).toMatchObject([
      { before: 2, after: 3 },
      { before: 1, after: 3 },
    ]);
  });
});
