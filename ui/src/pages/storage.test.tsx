import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import { bundle, keptResult } from "../test/builders";
import { notices, type Page, renderPage } from "../test/render";
import { type FakeServer, fakeServer, graphqlError } from "../test/server";
import { StoragePage } from "./storage";

const MAY = ["bundles:read", "results:manage"];
const MB = 2 ** 20;

let server: FakeServer;
const show = (path = "/system/storage", permissions = MAY): Promise<Page> =>
  renderPage(<StoragePage />, { permissions, role: "admin", path });
const row = (name: RegExp) => screen.getByRole("rowheader", { name }).closest("tr") as HTMLElement;
const addressOf = (where: HTMLElement, name: string) => within(where).getByRole("link", { name }).getAttribute("href");

beforeEach(() => {
  server = fakeServer();
  server.onField("projects", { projects: [{ id: "p1", name: "main" }] });
  server.onField("bundles", { bundles: { items: [bundle()], next: null } });
  server.onField("keptResults", { keptResults: { items: [keptResult()], next: null } });
  server.onField("keptTotals", {
    keptTotals: {
      bundles: { count: 1, bytes: 2048 },
      results: { count: 3, bytes: 5 * MB },
      mostBytesOfBundle: 20 * MB,
      mostBytesOfResult: 8 * MB,
      mostBytesOfRun: 1024 * MB,
      mostBytesOfProject: 0,
    },
  });
  server.onField("deleteKeptResult", { deleteKeptResult: { resultId: "result-1" } });
});

describe("the page of what is stored", () => {
  it("lists both with their sizes, their totals, and where they are used", async () => {
    server.onField("bundles", {
      bundles: {
        items: [bundle({ sealed: true, userCount: 22 }), bundle({ id: "2", digest: "f".repeat(64), versionCount: 0 })],
        next: null,
      },
    });
    const shared = keptResult({ id: "2", location: "target.pickle", flowRunId: null, flowId: null, sealed: true });
    server.onField("keptResults", { keptResults: { items: [keptResult(), shared], next: null } });
    await show();
    expect((await screen.findByRole("rowheader", { name: /^0123456789ab/ })).textContent).toContain("Sealed");
    expect(addressOf(row(/^0123/), "etl")).toBe("/flows/f1");
    expect(row(/^0123/).textContent).toMatch(/2 KB.*alice.*etl and 21 more flows \(1 version\)/);
    expect(row(/^ffff/).textContent).toContain("will be removed");
    expect(addressOf(row(/attempt-1.pack/), "calm-otter")).toBe("/runs/r1");
    expect(row(/attempt-1.pack/).textContent).toMatch(/300 bytes.*With its run/);
    expect(row(/target.pickle/).textContent).toMatch(/Sealed.*Shared by its project.*Never/);
    expect(await screen.findByText("1 bundle, 2 KB. At most 20 MB each.")).toBeTruthy();
    expect(screen.getByText("3 results, 5.0 MB. At most 8.0 MB each, 1.0 GB per run.")).toBeTruthy();
  });

  it("gets more results when asked for", async () => {
    server.onField("keptResults", ({ after }) =>
      after === null
        ? { keptResults: { items: [keptResult()], next: "cursor" } }
        : { keptResults: { items: [keptResult({ id: "2", location: "older" })], next: null } },
    );
    const shown = await show();
    await shown.user.click(await screen.findByRole("button", { name: "Show more" }));
    expect(await screen.findByRole("rowheader", { name: "older" })).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Show more" })).toBeNull();
  });

  it("lists those of a project whose locations begin with a text, as its address says", async () => {
    const shown = await show();
    const project = await screen.findByRole("combobox", { name: "Project" });
    expect(screen.queryByRole("searchbox")).toBeNull();
    await screen.findByRole("option", { name: "main" });
    await shown.user.selectOptions(project, "main");
    await shown.user.type(await screen.findByRole("searchbox"), "2026/");
    await waitFor(() => expect(shown.href()).toContain("prefix=2026"));
    await waitFor(() =>
      expect(server.variables("keptResults").at(-1)).toEqual({ project: "main", prefix: "2026/", after: null }),
    );
  });

  it("says what would be there where nothing is", async () => {
    server.onField("bundles", { bundles: { items: [], next: null } });
    server.onField("keptResults", { keptResults: { items: [], next: null } });
    const shown = await show();
    expect(await screen.findByText("No code is stored.")).toBeTruthy();
    expect(screen.getByText("No results are stored.")).toBeTruthy();
    shown.unmount();
    await show("/system/storage?project=main");
    expect(await screen.findByText("No results match.")).toBeTruthy();
  });

  it("says what went wrong with one of the two, and shows the other", async () => {
    server.onField("keptResults", () => graphqlError("unavailable", "Try again later."));
    await show();
    expect(await screen.findByText("The results could not be loaded.")).toBeTruthy();
    expect(screen.getByRole("rowheader", { name: /^0123/ })).toBeTruthy();
  });

  it("asks for nothing on behalf of others than administrators", async () => {
    await show("/system/storage", ["secrets:read"]);
    expect(screen.getByText("Only administrators see what is stored.")).toBeTruthy();
    expect(server.variables("keptResults")).toEqual([]);
  });
});

describe("a result", () => {
  it("is deleted after a question, once", async () => {
    const shown = await show();
    await shown.user.click(await screen.findByRole("button", { name: /^Delete result/ }));
    const dialog = screen.getByRole("alertdialog");
    expect(dialog.textContent).toContain("A restart of its run runs the tasks again");
    server.onField("keptResults", { keptResults: { items: [], next: null } });
    await shown.user.click(within(dialog).getByRole("button", { name: "Delete result" }));
    expect(await screen.findByText("No results are stored.")).toBeTruthy();
    const [{ input }] = server.variables("deleteKeptResult") as [{ input: Record<string, unknown> }];
    expect(input).toEqual({ resultId: "result-1", idempotencyKey: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(notices()[0]).toContain("is deleted");
  });
});
