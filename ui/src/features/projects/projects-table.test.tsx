import { screen } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import type { Project } from "../../api/life-cycle";
import { renderPage } from "../../test/render";
import { type FakeServer, fakeServer } from "../../test/server";
import { ProjectsTable } from "./projects-table";

let server: FakeServer;
const project = (more: Partial<Project> = {}): Project => ({
  id: "project-1",
  name: "finance",
  archived: false,
  paused: false,
  flowCount: 1,
  usage: { rows: 1200, bytes: 3 * 2 ** 20, mostRows: 200_000_000, mostBytes: 0, full: false },
  ...more,
});
const show = (projects: Project[], permissions = ["flows:edit", "flows:delete"]) =>
  renderPage(<ProjectsTable projects={projects} />, { role: "admin", permissions });
const items = () => screen.queryAllByRole("menuitem").map((item) => item.textContent);

beforeEach(() => {
  server = fakeServer();
  server.onField("editProject", { editProject: { project: { id: "project-1" } } });
});

describe("a project in the list", () => {
  it("says how many flows it has and whether it is paused", async () => {
    await show([project({ paused: true })]);
    expect(screen.getByRole("row", { name: /finance/ }).textContent).toContain("finance Paused1 flow");
  });

  it("says what it has stored, how much it may, and what to do when that is reached", async () => {
    const usage = { ...project().usage, full: true };
    await show([project({ usage })]);
    expect(screen.getByRole("row", { name: /finance/ }).textContent).toContain("Full1 flow1,200 rows, 3.0 MB");
    expect(screen.getByTitle(/At most 200,000,000 rows\. Delete runs/)).toBeTruthy();
  });

  it("has a menu with its whole life cycle", async () => {
    const page = await show([project()]);
    await page.user.click(screen.getByRole("button", { name: "Actions for finance" }));
    expect(items()).toEqual(["Rename…", "Pause", "Archive…", "Delete…"]);
    await page.user.click(screen.getByRole("menuitem", { name: "Pause" }));
    await screen.findByText("Paused project finance.");
    expect(server.variables("editProject")).toMatchObject([{ input: { projectId: "project-1", paused: true } }]);
  });

  it("comes out of the archive", async () => {
    const page = await show([project({ archived: true, flowCount: 0 })]);
    await page.user.click(screen.getByRole("button", { name: "Actions for finance" }));
    expect(items()).toEqual(["Rename…", "Pause", "Take out of the archive", "Delete…"]);
  });

  it("has no menu for viewers", async () => {
    await show([project()], []);
    expect(screen.queryByRole("button")).toBeNull();
  });
});
