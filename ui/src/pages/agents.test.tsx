/** The page of agents: what is wrong is said in words, runs are one click away, and tokens are shown once. */

import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import type { AgentRow } from "../api/agents";
import { agent } from "../test/builders";
import { notices, renderPage } from "../test/render";
import { type FakeServer, fakeServer, graphqlError } from "../test/server";
import { AgentsPage } from "./agents";

const SERVER = { time: "2026-11-22T06:00:00Z", version: "1.0" };
const HELD = { flowRunId: "run-1", flowRunName: "calm-otter", project: "ops", flow: "etl", since: SERVER.time };
const ADMIN = { role: "admin", permissions: ["agents:manage", "tokens:manage"] } as const;

function serving(agents: AgentRow[]): FakeServer {
  return fakeServer().onField("agents", { server: SERVER, agents });
}

const row = (name: string) => screen.findByRole("row", { name: new RegExp(name) });

describe("the list", () => {
  it("says the state and the problems in words, and links each slot in use to its run", async () => {
    serving([
      agent({ running: 1, heldRuns: [HELD] }),
      agent({ id: "agent-2", name: "gone", health: "offline", draining: true, running: 1, problems: ["It is ill."] }),
      agent({ id: "agent-3", name: "full", health: "quarantined", quarantinedUntil: "2026-11-22T06:04:00Z" }),
    ]);
    await renderPage(<AgentsPage />, { path: "/agents" });
    expect(within(await row("edge-01")).getByText("Online")).toBeTruthy();
    const slot = within(await row("edge-01")).getByRole("link", { name: "ops/etl calm-otter" });
    expect(slot.getAttribute("href")).toBe("/runs/run-1");
    expect(within(await row("edge-01")).getByText("1 of 4")).toBeTruthy();
    expect(within(await row("gone")).getByText("Offline")).toBeTruthy();
    expect(within(await row("gone")).getByText("Drained")).toBeTruthy();
    expect(within(await row("gone")).getByText("It is ill.")).toBeTruthy();
    expect(within(await row("gone")).getByText(/It still has 1 run; start it again/)).toBeTruthy();
    expect(within(await row("full")).getByText("Quarantined")).toBeTruthy();
    const until = within(await row("full"))
      .getByText(/^until/)
      .querySelector("time");
    expect(until?.dateTime).toBe("2026-11-22T06:04:00Z");
    expect(screen.queryByRole("button", { name: /Actions for/ })).toBeNull();
  });

  it("is filtered by the URL, and writes it", async () => {
    serving([agent({ labels: ["gpu"] }), agent({ id: "agent-2", name: "gone", health: "offline" })]);
    const page = await renderPage(<AgentsPage />, { path: "/agents?show=offline" });
    await row("gone");
    expect(screen.queryByText("edge-01")).toBeNull();
    await page.user.click(screen.getByRole("radio", { name: "All" }));
    await page.user.type(screen.getByRole("searchbox"), "gpu");
    await waitFor(() => expect(page.href()).toContain("q=gpu"));
    await row("edge-01");
    expect(screen.queryByText("gone")).toBeNull();
  });

  it("drains and resumes, for those who may", async () => {
    const server = serving([agent(), agent({ id: "agent-2", name: "still", health: "draining", draining: true })])
      .onField("drainAgent", { drainAgent: { agent: { name: "edge-01", running: 2 } } })
      .onField("resumeAgent", { resumeAgent: { agent: { name: "still" } } });
    const page = await renderPage(<AgentsPage />, { path: "/agents", ...ADMIN });
    await page.user.click(await screen.findByRole("button", { name: "Actions for edge-01" }));
    expect(screen.getAllByRole("menuitem").map((item) => item.textContent)).toEqual(["Drain"]);
    await page.user.click(screen.getByRole("menuitem", { name: "Drain" }));
    await waitFor(() => expect(notices().at(-1)).toContain("edge-01 gets no more runs; 2 runs still to end."));
    await page.user.click(screen.getByRole("button", { name: "Actions for still" }));
    await page.user.click(screen.getByRole("menuitem", { name: "Resume" }));
    await waitFor(() => expect(notices().at(-1)).toContain("still gets runs again."));
    expect(server.variables("resumeAgent")[0]?.input).toMatchObject({ agentId: "agent-2" });
  });

  it("asks before an agent is forgotten, and shows why it can't be", async () => {
    serving([agent({ health: "offline" })]).onField("forgetAgent", () =>
      graphqlError("conflict", "Agent edge-01 has just come back; stop it first, and then forget it."),
    );
    const page = await renderPage(<AgentsPage />, { path: "/agents", ...ADMIN });
    await page.user.click(await screen.findByRole("button", { name: "Actions for edge-01" }));
    await page.user.click(screen.getByRole("menuitem", { name: "Forget…" }));
    await page.user.click(screen.getByRole("button", { name: "Forget agent" }));
    expect((await screen.findByRole("alert")).textContent).toContain("has just come back");
  });
});

it("asks who would take a run, as the URL says", async () => {
  const missing = [{ code: "label", values: ["gpu"], sentence: "It lacks gpu; start it with --label gpu, too." }];
  const candidate = { id: "agent-1", name: "edge-01", health: "online", capacity: 4, running: 0, missing };
  const answer = { taking: 0, sentence: "No live agent has label gpu.", total: 1, agents: [candidate] };
  const server = serving([agent()]).onField("agentMatch", { agentMatch: answer });
  const page = await renderPage(<AgentsPage />, { path: "/agents?labels=gpu&kind=docker", ...ADMIN });
  expect(await screen.findByText("No live agent has label gpu.")).toBeTruthy();
  expect(screen.getByText("It lacks gpu; start it with --label gpu, too.")).toBeTruthy();
  expect(server.variables("agentMatch")[0]).toMatchObject({ labels: ["gpu"], kind: "docker", user: null });
  await page.user.click(screen.getByRole("button", { name: "Add an agent that would…" }));
  expect(screen.getByLabelText<HTMLInputElement>("Labels", { selector: ".dialog input" }).value).toBe("gpu");
});

describe("adding an agent", () => {
  it("makes a token and shows the commands with it", async () => {
    const view = { id: "token-1", name: "edge-02", prefix: "apl_agent_a", scope: "agent", username: "alice" };
    const server = serving([]).on("POST /api/v1/tokens", { token: "apl_agent_secret", view });
    const page = await renderPage(<AgentsPage />, { path: "/agents", ...ADMIN });
    await page.user.click(await screen.findByRole("button", { name: "Add an agent…" }));
    await page.user.click(screen.getByRole("button", { name: "Create token and show commands" }));
    expect(screen.getByText("Enter a name.")).toBeTruthy();
    await page.user.type(screen.getByRole("textbox", { name: "Name" }), "edge-02");
    await page.user.click(screen.getByRole("button", { name: "Create token and show commands" }));
    expect(await screen.findByText(/echo apl_agent_secret > edge-02.token/)).toBeTruthy();
    expect(screen.getByText(/agent start process --name edge-02/)).toBeTruthy();
    expect(server.bodies("POST /api/v1/tokens")).toEqual([{ name: "edge-02", scope: "agent", username: "alice" }]);
    await page.user.click(screen.getByRole("button", { name: "Done" }));
    expect(screen.queryByText(/apl_agent_secret/)).toBeNull();
  });

  it("leaves the token to an administrator", async () => {
    const server = serving([]);
    const page = await renderPage(<AgentsPage />, { path: "/agents" });
    await page.user.click(await screen.findByRole("button", { name: "Add an agent…" }));
    await page.user.type(screen.getByRole("textbox", { name: "Name" }), "edge-02");
    await page.user.click(screen.getByRole("button", { name: "Show commands" }));
    expect(await screen.findByText(/echo TOKEN > edge-02.token/)).toBeTruthy();
    expect(server.callsTo("POST /api/v1/tokens")).toEqual([]);
  });

  it("asks for the image of a Docker agent", async () => {
    const server = serving([]);
    const page = await renderPage(<AgentsPage />, { path: "/agents" });
    await page.user.click(await screen.findByRole("button", { name: "Add an agent…" }));
    await page.user.type(screen.getByRole("textbox", { name: "Name" }), "edge-02");
    await page.user.selectOptions(screen.getByRole("combobox", { name: "Runs are" }), "docker");
    await page.user.click(screen.getByRole("button", { name: "Show commands" }));
    expect(screen.getByText("Enter an image, such as etl:3.")).toBeTruthy();
    await page.user.type(screen.getByRole("textbox", { name: "Image" }), "etl:3");
    await page.user.click(screen.getByRole("button", { name: "Show commands" }));
    expect(await screen.findByText(/agent start docker --name edge-02 --image etl:3/)).toBeTruthy();
    expect(server.callsTo("POST /api/v1/tokens")).toEqual([]);
  });
});

it("says what to do when the agents can't be loaded", async () => {
  fakeServer().onField("agents", () => graphqlError("too_slow", "That took too long; ask for less."));
  await renderPage(<AgentsPage />, { path: "/agents" });
  expect((await screen.findByRole("alert")).textContent).toContain("The agents could not be loaded.");
});
