import { screen, within } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { run, runRow, state } from "../../test/builders";
import { renderPage } from "../../test/render";
import { fakeServer } from "../../test/server";
import { StartedBy } from "../runs/started-by";
import { SubRunsToggle } from "../runs/sub-runs-toggle";
import { ChildrenPanel } from "./children-panel";
import { RunLinks } from "./run-links";

const ID = "0198f0c2-8d3a-7c11-9d43-0a4f5e6b7c8d";
const hrefOf = (name: string) => screen.getByRole("link", { name }).getAttribute("href");

it("lists the sub-runs of a run with the tasks that have started them", async () => {
  const parent = { id: "run-1", name: "calm-otter", taskSlug: "load-1", mapIndex: 3 };
  const cause = { taskSlug: "extract-1", mapIndex: null, message: "out of paper" };
  const items = [
    runRow({ id: "run-2", name: "wise-heron", parent }),
    runRow({ id: "run-3", name: "shy-newt", parent: { ...parent, mapIndex: -1 }, state: state("FAILED"), cause }),
  ];
  const server = fakeServer().onField("flowRuns", { flowRuns: { items, next: null, total: 2, totalCapped: false } });
  const children = { total: 1200, success: 1000, failed: 200, running: 0, waiting: 0, other: 0 };
  await renderPage(<ChildrenPanel run={run({ children })} />);
  await screen.findByRole("link", { name: "wise-heron" });
  const rows = within(screen.getByRole("table")).getAllByRole("row");
  expect(rows.slice(1).map((row) => row.textContent)).toEqual([
    expect.stringMatching(/^Success.*wise-heron etl.*load-1\[3\]/),
    expect.stringMatching(/^Failed.*shy-newt etl.*extract-1: out of paper.*load-1/),
  ]);
  expect(server.variables("flowRuns")[0]?.filter).toEqual({ q: "parent:run-1" });
  expect(hrefOf("1,200 sub-runs in the list of runs")).toBe("/runs?q=parent%3Arun-1");
  expect(hrefOf("200 failed")).toBe("/runs?q=parent%3Arun-1+state%3Afailed");
});

it("leads to the run that has started a run, and names others", async () => {
  const parent = { id: "run-9", name: "wise-heron" };
  const page = await renderPage(<StartedBy run={{ trigger: "x", createdBy: "run wise-heron", parent }} />);
  expect(hrefOf("wise-heron")).toBe("/runs/run-9");
  page.rerender(<StartedBy run={{ trigger: "api", createdBy: "alice", parent: null }} />);
  expect(screen.getByText("alice")).toBeTruthy();
});

it("turns addresses of runs in a message into links", async () => {
  await renderPage(<RunLinks text={`Run shy-newt (/runs/${ID}) failed: see /runs/none and <b>.`} />);
  expect(hrefOf(`/runs/${ID}`)).toBe(`/runs/${ID}`);
  expect(screen.getAllByRole("link")).toHaveLength(1);
});

it("leaves sub-runs out of a list and shows them again", async () => {
  const onChange = vi.fn();
  const page = await renderPage(<SubRunsToggle q="calm" onChange={onChange} />);
  const toggle = () => screen.getByRole("button", { name: "Sub-runs", pressed: true });
  await page.user.click(toggle());
  expect(onChange).toHaveBeenLastCalledWith("calm parent:none");
  page.rerender(<SubRunsToggle q="calm parent:none" onChange={onChange} />);
  await page.user.click(screen.getByRole("button", { name: "Sub-runs", pressed: false }));
  expect(onChange).toHaveBeenLastCalledWith("calm");
  page.rerender(<SubRunsToggle q="parent:run-1" onChange={onChange} />);
  expect(screen.queryByRole("button", { name: "Sub-runs" })).toBeNull();
});
