import { screen, within } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import type { FoundLine } from "../api/logs";
import { renderPage } from "../test/render";
import { type FakeServer, fakeServer, graphqlError } from "../test/server";
import { LogsPage } from "./logs";

let server: FakeServer;

const line = (more: Partial<FoundLine> = {}): FoundLine => ({
  id: 42,
  at: "2026-11-22T06:00:00Z",
  level: 40,
  message: "Connection refused: timeout",
  stream: null,
  taskSlug: "load-1",
  mapIndex: 3,
  flowRunId: "run-1",
  runName: "calm-otter",
  flow: "etl",
  project: "finance",
  ...more,
});

const found = (items: FoundLine[], next: string | null = null, complete = true) => ({
  logSearch: { items, next, complete },
});

const show = (path: string) => renderPage(<LogsPage />, { path });

beforeEach(() => {
  server = fakeServer();
  server.onField("logSearch", found([line()]));
});

describe("the search in all logs", () => {
  it("says what it does before anything is searched for, and asks nothing", async () => {
    await show("/logs");
    expect(screen.getByText("Search the logs of all runs.")).toBeTruthy();
    expect(server.calls).toEqual([]);
  });

  it("shows each line with its run, and a link to its place in the run's log", async () => {
    await show("/logs?q=refused%20time&level=error&flow=finance/etl");
    const link = await screen.findByRole("link", { name: "calm-otter" });
    expect(link.getAttribute("href")).toBe("/runs/run-1#L42");
    const row = screen.getByRole("row", { name: /calm-otter/ });
    expect(row.textContent).toContain("finance/etl");
    expect(row.textContent).toContain("ERROR");
    expect(row.textContent).toContain("load-1[3]");
    expect([...row.querySelectorAll("mark")].map((mark) => mark.textContent)).toEqual(["refused", "time"]);
    expect(server.variables("logSearch")).toEqual([
      { text: "refused time", filter: { minLevel: 40, flow: "finance/etl" }, first: 100, after: null },
    ]);
  });

  it("puts the words, the level, and the flow into the address", async () => {
    const page = await show("/logs");
    await page.user.type(screen.getByRole("searchbox", { name: "Words that lines have" }), "refused ");
    await page.user.type(screen.getByRole("searchbox", { name: "Flow, or project/flow" }), "etl{Enter}");
    await screen.findByRole("link", { name: "calm-otter" });
    await page.user.selectOptions(screen.getByRole("combobox", { name: "Level" }), "Errors");
    await screen.findByRole("link", { name: "calm-otter" });
    const address = new URL(page.href(), "http://localhost").searchParams;
    expect(address.get("level")).toBe("error");
    expect(address.get("flow")).toBe("etl");
    expect(server.variables("logSearch").at(-1)).toMatchObject({ text: "refused ", filter: { minLevel: 40 } });
  });

  it("goes on to older lines, also from an empty page", async () => {
    server.onField("logSearch", ({ after }: Record<string, unknown>) => {
      const turn = Number(after ?? 0) + 1;
      return turn === 7 ? found([line({ id: 7, runName: "older" })]) : found([], String(turn));
    });
    const page = await show("/logs?q=refused");
    await screen.findByText("None of the newest lines match.");
    expect(server.variables("logSearch").map(({ after }) => after)).toEqual([null, "1", "2", "3", "4"]);
    await page.user.click(screen.getByRole("button", { name: "Older" }));
    await screen.findByRole("link", { name: "older" });
    expect(screen.queryByRole("button", { name: "Older" })).toBeNull();
  });

  it("says what matches nothing, and takes the filters away", async () => {
    server.onField("logSearch", found([]));
    const page = await show("/logs?q=nothing&level=error");
    await screen.findByText("No lines match “nothing” with this level and flow.");
    await page.user.click(screen.getByRole("button", { name: "Search all levels and flows" }));
    await screen.findByText("No lines match “nothing”.");
    expect(page.href()).toBe("/logs?q=nothing");
  });

  it("needs a word", async () => {
    await show("/logs?q=...");
    expect(screen.getByText("“...” has no word; use letters or digits.")).toBeTruthy();
    expect(server.calls).toEqual([]);
  });

  it("says that lines may be missing after an upgrade", async () => {
    server.onField("logSearch", found([line()], null, false));
    await show("/logs?q=refused");
    await screen.findByText(/still being added to the index, so some may be missing/);
  });

  it("says why it failed, and tries again", async () => {
    server.onField("logSearch", graphqlError("unknown_name", "There is no flow 'elt'; did you mean 'etl'?"));
    const page = await show("/logs?q=refused&flow=elt");
    const alert = await screen.findByRole("alert");
    expect(alert.textContent).toContain("did you mean 'etl'?");
    server.onField("logSearch", found([line()]));
    await page.user.click(within(alert).getByRole("button", { name: "Try again" }));
    await screen.findByRole("link", { name: "calm-otter" });
  });
});
