/** The command palette: everything by its name, from everywhere, and nothing dangerous without its dialog. */

import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeAll, beforeEach, expect, it, vi } from "vitest";
import { type Page, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, held } from "../../test/server";
import { useShortcuts } from "../../ui/shortcuts";
import { DeadEnd } from "./dead-end";
import { PaletteButton } from "./palette-button";
import { useRecent } from "./recent";

const ID = "019aa111-0000-7000-8000-000000000001";
const PAGES = [
  { to: "/flows", label: "Flows", keys: "g f" },
  { to: "/agents", label: "Agents", keys: "g a" },
];
const RUN = { id: ID, name: "calm-otter", state: { type: "FAILED", name: "Failed" }, flow: { name: "etl" } };

let server: FakeServer;
let followed = 0;

function Shown({ recent = "" }: { recent?: string }) {
  useShortcuts("Logs", [
    { keys: "Shift F", label: "Follow new lines", run: () => (followed += 1) },
    { keys: "j", label: "Next line", run: () => undefined },
  ]);
  useRecent(`/runs/${ID}`, recent);
  return <PaletteButton pages={PAGES} />;
}

beforeAll(() => vi.stubGlobal("matchMedia", () => new EventTarget()));

beforeEach(() => {
  followed = 0;
  localStorage.clear();
  server = fakeServer();
  server.onField("agents", { agents: [{ id: "agent-1", name: "edge-01" }], server: {} });
  server.onField("flows", ({ name }) => ({
    flows: { items: name === "etl" ? [{ id: "flow-1", name: "etl", project: { name: "main" } }] : [] },
    flowRuns: { items: name === "etl" ? [RUN] : [] },
  }));
  server.onField("flowRun", ({ id }) => ({ flowRun: id === ID ? RUN : null, flow: null, agent: null }));
});

async function opened(options: { recent?: string; permissions?: string[] } = {}): Promise<Page> {
  const page = await renderPage(<Shown recent={options.recent} />, { path: "/runs", permissions: options.permissions });
  fireEvent.keyDown(window, { key: "k", ctrlKey: true });
  await screen.findByRole("searchbox");
  return page;
}

const offered = () =>
  screen.queryAllByRole("menuitem").map((item) => item.querySelector(".palette-label")?.textContent);
const type = (page: Page, text: string) => page.user.type(screen.getByRole("searchbox"), text);

it("offers what can be done on the page, and the pages", async () => {
  await opened();
  expect(offered()).toEqual(["Follow new lines", "Flows", "Agents"]);
});

it("goes to a page with two keys", async () => {
  const page = await opened();
  await type(page, "age{Enter}");
  await waitFor(() => expect(page.address()).toBe("/agents"));
  await waitFor(() => expect(screen.queryByRole("searchbox")).toBeNull());
});

it("does what the shortcut does", async () => {
  const page = await opened();
  await type(page, ">foll{Enter}");
  await waitFor(() => expect(followed).toBe(1));
});

it("finds flows and runs on the server, with a form for each flow", async () => {
  const page = await opened();
  await type(page, "etl");
  await waitFor(() => expect(offered()).toContain("etl calm-otter"));
  expect(offered()).toEqual(["etl", "etl calm-otter", "Run etl…", "Search the documentation for “etl”"]);
  await page.user.clear(screen.getByRole("searchbox"));
  await type(page, "run etl");
  await waitFor(() => expect(offered()[0]).toBe("Run etl…"));
  await page.user.keyboard("{Enter}");
  await waitFor(() => expect(page.address()).toBe("/flows/flow-1/run"));
});

it("finds what has the ID in a pasted address, and says if nothing has it", async () => {
  const page = await opened();
  await page.user.click(screen.getByRole("searchbox"));
  await page.user.paste(`https://box.example/runs/${ID}?pane=logs`);
  await waitFor(() => expect(offered()).toEqual(["etl calm-otter"]));
  await page.user.clear(screen.getByRole("searchbox"));
  await page.user.paste(ID.replace("1", "2"));
  expect(await screen.findByText("There is no run, flow or agent with this ID.")).toBeTruthy();
});

it("opens what has the ID when the answer comes after Enter", async () => {
  const { promise, release } = held<object>();
  server.onField("flowRun", () => promise);
  const page = await opened();
  await page.user.click(screen.getByRole("searchbox"));
  await page.user.paste(ID);
  await page.user.keyboard("{Enter}");
  expect(page.address()).toBe("/runs");
  release({ flowRun: RUN, flow: null, agent: null });
  await waitFor(() => expect(page.address()).toBe(`/runs/${ID}`));
  await waitFor(() => expect(screen.queryByRole("searchbox")).toBeNull());
});

it("forgets an early Enter when the text changes", async () => {
  const { promise, release } = held<object>();
  server.onField("flowRun", () => promise);
  const page = await opened();
  await page.user.click(screen.getByRole("searchbox"));
  await page.user.paste(ID);
  await page.user.keyboard("{Enter}");
  await type(page, " ");
  release({ flowRun: RUN, flow: null, agent: null });
  await waitFor(() => expect(offered()).toEqual(["etl calm-otter"]));
  expect(page.address()).toBe("/runs");
});

it("remembers what was opened", async () => {
  const page = await opened({ recent: "etl calm-otter" });
  expect(offered()[0]).toBe("etl calm-otter");
  await type(page, "{ArrowDown}{Enter}");
  await waitFor(() => expect(page.address()).toBe(`/runs/${ID}`));
});

it("asks before it stops everything, and offers it only to those who may", async () => {
  server.onField("flowRuns", { cancel: { total: 7, totalCapped: false } });
  const page = await opened({ permissions: ["runs:bulk", "runs:cancel"] });
  await type(page, ">all");
  expect(offered()).toEqual(["Stop all runs…"]);
  await page.user.keyboard("{Enter}");
  const dialog = await screen.findByRole("alertdialog");
  expect(within(dialog).getByText("Stop 7 runs?")).toBeTruthy();
});

it("searches the documentation, titles first", async () => {
  server.on("GET /docs/search/search_index.json", {
    docs: [
      { location: "faq/#why", title: "Why does it wait?", text: "A retry takes a while." },
      { location: "states/#retry", title: "Retry", text: "" },
    ],
  });
  const page = await opened();
  await type(page, "?retry");
  await waitFor(() => expect(offered()).toEqual(["Retry", "Why does it wait?"]));
  expect(screen.getByRole("menuitem", { name: /^Retry/ }).getAttribute("href")).toBe("/docs/states/#retry");
});

it("says when nothing fits, and closes with Escape", async () => {
  const page = await opened();
  await type(page, "@zzz");
  expect(await screen.findByText("Nothing fits “zzz”.")).toBeTruthy();
  await type(page, "{Escape}{Escape}");
  await waitFor(() => expect(screen.queryByRole("searchbox")).toBeNull());
});

it("searches from a dead end for what its address names", async () => {
  const deadEnd = (
    <>
      <PaletteButton pages={PAGES} />
      <DeadEnd title="Page not found" action={<a href="/runs">Go to runs</a>}>
        It may have been deleted.
      </DeadEnd>
    </>
  );
  const page = await renderPage(deadEnd, { path: "/flows/etl" });
  expect(screen.getByRole("searchbox")).toHaveProperty("value", "etl");
  await page.user.click(screen.getByRole("button", { name: "Search" }));
  await waitFor(() => expect(offered()).toContain("etl calm-otter"));
});
