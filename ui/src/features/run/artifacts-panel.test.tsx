import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import type { Artifact } from "../../api/artifacts";
import { run, state } from "../../test/builders";
import { renderPage } from "../../test/render";
import { type FakeServer, fakeServer, graphqlError, refusal } from "../../test/server";
import ArtifactsPanel from "./artifacts-panel";

const artifact = (more: Partial<Artifact> = {}): Artifact => ({
  id: "a1",
  taskSlug: "report-1",
  mapIndex: -1,
  kind: "markdown",
  key: null,
  version: null,
  title: "",
  mediaType: "text/markdown",
  fileName: null,
  size: 12,
  progress: null,
  updated: "2026-11-22T06:00:00Z",
  ...more,
});
const text = (content: string) => () => new Response(content, { status: 200 });

let server: FakeServer;
const show = (...items: Artifact[]) => {
  server.onField("artifacts", { artifacts: { items, next: null } });
  return renderPage(<ArtifactsPanel run={run({ state: state("SUCCESS") })} />);
};

beforeEach(() => {
  server = fakeServer();
});

describe("an artifact", () => {
  it("says what it is, of which key and version, and which task made it", async () => {
    server.on("GET /api/v1/artifacts/a1/content", text("# Report\n<b>bold</b>"));
    await show(artifact({ title: "Daily report", key: "daily", version: 3, mapIndex: 2 }));
    const card = await screen.findByRole("article", { name: "Daily report" });
    expect(card.textContent).toContain("Markdown · daily 3 · report-1[2]");
    expect((await within(card).findByText(/# Report/)).innerHTML).toContain("&lt;b&gt;bold");
    expect(within(card).getByRole("link", { name: "Download Daily report" }).getAttribute("href")).toBe(
      "/api/v1/artifacts/a1/content",
    );
  });

  it("is a table with at most 100 rows here", async () => {
    const rows = Array.from({ length: 103 }, (_, index) => [`city ${index}`, index, null]);
    server.on("GET /api/v1/artifacts/a1/content", { columns: ["City", "People", "Note"], rows });
    await show(artifact({ kind: "table", key: "cities" }));
    const table = await screen.findByRole("table", { name: "cities" });
    expect(within(table).getAllByRole("row")).toHaveLength(101);
    expect(within(table).getAllByRole("row")[2]?.textContent).toBe("city 11");
    expect(screen.getByText("3 more rows in the download.")).toBeTruthy();
  });

  it("is a link only to http and https", async () => {
    server.on("GET /api/v1/artifacts/a1/content", text("https://example.org/x"));
    server.on("GET /api/v1/artifacts/a2/content", text("javascript:alert(1)"));
    await show(artifact({ kind: "link" }), artifact({ id: "a2", kind: "link" }));
    const link = await screen.findByRole("link", { name: "https://example.org/x" });
    expect(link.getAttribute("rel")).toBe("noopener noreferrer");
    expect((await screen.findByText("javascript:alert(1)")).closest("a")).toBeNull();
  });

  it("is a picture, a bar, a page to open, a plot to download", async () => {
    await show(
      artifact({ kind: "image", title: "Chart" }),
      artifact({ id: "a2", kind: "progress", title: "Rows", progress: 42.25 }),
      artifact({ id: "a3", kind: "html", title: "Page" }),
      artifact({ id: "a4", kind: "plot", title: "Plot" }),
    );
    expect((await screen.findByRole("img", { name: "Chart" })).getAttribute("src")).toBe(
      "/api/v1/artifacts/a1/content",
    );
    expect(screen.getByRole("progressbar", { name: "Rows" }).getAttribute("value")).toBe("42.25");
    expect(screen.getByText("42.3 %")).toBeTruthy();
    expect(screen.getByRole("link", { name: "Open" }).getAttribute("href")).toBe("/api/v1/artifacts/a3/page");
    expect(screen.getByText(/Nothing here draws it yet/)).toBeTruthy();
    expect(screen.queryByRole("link", { name: "Download Rows" })).toBeNull();
  });

  it("says why its content can't be read, and reads it again", async () => {
    server.on("GET /api/v1/artifacts/a1/content", () => refusal(404, "not_found", "There is no such artifact."));
    const page = await show(artifact());
    expect(await screen.findByText(/There is no such artifact/)).toBeTruthy();
    server.on("GET /api/v1/artifacts/a1/content", text("here it is"));
    await page.user.click(screen.getByRole("button", { name: /again/i }));
    expect(await screen.findByText("here it is")).toBeTruthy();
  });
});

describe("the panel", () => {
  it("says how to make one where there is none", async () => {
    await show();
    expect(await screen.findByText("No artifacts.")).toBeTruthy();
    expect(screen.getByText("artifacts.table(rows)")).toBeTruthy();
  });

  it("loads more", async () => {
    server.onField("artifacts", ({ after }: Record<string, unknown>) => ({
      artifacts: after
        ? { items: [artifact({ id: "a2", kind: "file", title: "second" })], next: null }
        : { items: [artifact({ kind: "file", title: "first" })], next: "cursor" },
    }));
    const page = await renderPage(<ArtifactsPanel run={run({ state: state("SUCCESS") })} />);
    await page.user.click(await screen.findByRole("button", { name: "Load more" }));
    expect(await screen.findByRole("article", { name: "second" })).toBeTruthy();
    await waitFor(() => expect(screen.queryByRole("button", { name: "Load more" })).toBeNull());
    expect(server.variables("artifacts").map(({ after }) => after)).toEqual([null, "cursor"]);
  });

  it("says why it can't be read", async () => {
    server.onField("artifacts", () => graphqlError("unavailable", "The database is down."));
    await renderPage(<ArtifactsPanel run={run({ state: state("SUCCESS") })} />);
    expect(await screen.findByText(/The database is down/)).toBeTruthy();
  });
});
