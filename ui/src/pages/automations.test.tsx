import { useLocation } from "@tanstack/react-router";
import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import type { Automation, Delivery } from "../api/automations";
import { automationKeys } from "../api/keys";
import { notices, type Page, renderPage } from "../test/render";
import { type FakeServer, fakeServer, graphqlError } from "../test/server";
import { AutomationPage } from "./automation";
import { AutomationsPage } from "./automations";

let server: FakeServer;
const NO_ACT = { flow: "", parameters: {}, labels: null, runName: "", tag: "", slots: null };

const automation = (more: Partial<Automation> = {}): Automation => ({
  id: "automation-1",
  name: "finance fails",
  sentence: "When a run that matches project:finance fails, call a webhook.",
  enabled: true,
  events: ["run.failed"],
  q: "project:finance",
  action: { kind: "WEBHOOK", url: "https://hooks.example.org/1", secret: "", to: [], text: "", ...NO_ACT },
  atMost: 3,
  per: 3600,
  unlessKnown: true,
  unlessMaintenance: false,
  revision: 4,
  actsAs: "",
  updated: "2026-11-22T06:00:00Z",
  updatedBy: "bob",
  pending: 0,
  failed: 0,
  lastAt: null,
  ...more,
});

const delivery = (more: Partial<Delivery> = {}): Delivery => ({
  id: "delivery-1",
  event: "run.failed",
  text: "finance/etl: run calm-otter failed: no such table",
  objectId: "run-1",
  state: "FAILED",
  reason: "The receiver answered 500.",
  attempts: 3,
  created: "2026-11-22T06:00:00Z",
  triedAt: "2026-11-22T06:10:00Z",
  nextTryAt: null,
  answer: "500 Internal Server Error",
  started: null,
  ...more,
});

const DRY = { fired: 12, events: 30, since: "2026-10-23T00:00:00Z", complete: true, newest: [] };
const EDITOR = ["read", "automations:edit"];
const field = (name: RegExp | string) => screen.getByLabelText<HTMLInputElement>(name);
const press = (page: Page, name: RegExp | string) => page.user.click(screen.getByRole("button", { name }));
const keys = () =>
  server
    .callsTo("POST /graphql")
    .filter(({ text }) => text.includes("createAutomation"))
    .map(({ headers }) => headers.get("Idempotency-Key"));

function list(automations: Automation[], permissions: readonly string[] = EDITOR): Promise<Page> {
  server.onField("automations", { automations });
  return renderPage(<AutomationsPage />, { path: "/automations", permissions });
}

/** The page of the automation, and the list once that is where the address leads. */
function Pages() {
  return useLocation().pathname === "/automations" ? <AutomationsPage /> : <AutomationPage />;
}

async function one(deliveries: Delivery[], more: Partial<Automation> = {}): Promise<Page> {
  server.onField("automation", { automation: automation(more), deliveries: { items: deliveries, next: null } });
  const page = await renderPage(<Pages />, { path: "/automations/automation-1", permissions: EDITOR });
  await screen.findByRole("heading", { name: "finance fails" });
  return page;
}

async function write(page: Page, name: RegExp | string, text: string): Promise<void> {
  await page.user.click(field(name));
  await page.user.paste(text);
}

beforeEach(() => {
  server = fakeServer();
  server.onField("automationDryRun", { automationDryRun: DRY });
});

describe("the list", () => {
  it("says each as a sentence, with what did not arrive", async () => {
    await list([
      automation({ failed: 2, pending: 1 }),
      automation({ id: "automation-2", name: "off", enabled: false }),
    ]);
    const [first, second] = await screen.findAllByRole("listitem");
    expect(first?.textContent).toContain("When a run that matches project:finance fails, call a webhook.");
    expect(first?.textContent).toContain("2 failed1 delivery pending");
    expect(second?.textContent).toContain("off");
    expect(second?.textContent).toContain("never acted");
  });

  it("offers viewers nothing that they may not do", async () => {
    await list([automation()], ["read"]);
    await screen.findByRole("listitem");
    expect(screen.queryAllByRole("button")).toEqual([]);
  });

  it("says what automations are for where there are none", async () => {
    await list([]);
    expect(await screen.findByText("No automations.")).toBeTruthy();
    expect(screen.getByRole("button", { name: "New automation…" })).toBeTruthy();
  });

  it("switches one off in the version that is shown", async () => {
    server.onField("editAutomation", { editAutomation: { automation: automation({ enabled: false }) } });
    const page = await list([automation()]);
    await screen.findByRole("listitem");
    await press(page, "Disable finance fails");
    expect(server.variables("editAutomation")).toEqual([
      { input: { automationId: "automation-1", revision: 4, enabled: false } },
    ]);
    await waitFor(() => expect(notices()).toContain("Automation finance fails is disabled."));
  });
});

describe("a new automation", () => {
  const begin = async () => {
    const page = await list([]);
    await screen.findByText("No automations.");
    await press(page, "New automation…");
    return page;
  };

  it("shows how often it would have acted", async () => {
    await begin();
    expect(await screen.findByText("12 times")).toBeTruthy();
    expect(screen.getByRole("region", { name: "Dry run" }).textContent).toContain("(30 events, more than it may)");
  });

  it("asks for that once the writing pauses, and not at each key", async () => {
    const page = await begin();
    await screen.findByText("12 times");
    await page.user.selectOptions(field("When"), "agent");
    await page.user.type(field("that matches"), "agent:edge-*");
    await waitFor(() => expect(server.variables("automationDryRun").at(-1)).toMatchObject({ q: "agent:edge-*" }));
    const asked = server.variables("automationDryRun").map(({ q }) => q);
    expect(asked.filter((q) => q !== "" && q !== "agent:edge-*")).toEqual([]);
  });

  it("says what is missing, and sends nothing before that", async () => {
    const page = await begin();
    await press(page, "Create automation");
    expect(screen.getByRole("alert").textContent).toBe("Give the automation a name.");
    await write(page, "Name", "finance fails");
    await press(page, "Create automation");
    expect(screen.getByRole("alert").textContent).toBe("Enter the URL.");
    expect(server.variables("createAutomation")).toEqual([]);
  });

  it("starts a run with what its form says, at most as often as that says", async () => {
    server.onField("createAutomation", { createAutomation: { automation: automation() } });
    const page = await begin();
    await write(page, "Name", "repair");
    await page.user.selectOptions(field("then"), "START");
    await write(page, "of flow", "demo/repair");
    await page.user.clear(field("Parameters (JSON)"));
    await write(page, "Parameters (JSON)", '{"cause": "{message}"}');
    await press(page, "Create automation");
    expect(screen.getByRole("alert").textContent).toContain("needs a bound");
    await write(page, "At most", "3");
    await press(page, "Create automation");
    await waitFor(() => expect(server.variables("createAutomation")).toHaveLength(1));
    expect(server.variables("createAutomation")[0]).toMatchObject({
      input: { atMost: 3, action: { kind: "START", flow: "demo/repair", parameters: { cause: "{message}" } } },
    });
  });

  it("is sent again under the same key if no answer came, and stays as written when it is refused", async () => {
    let lost = true;
    server.onField("createAutomation", () => {
      if (lost) throw new TypeError("network");
      return graphqlError("conflict", "There is another automation named 'finance fails'; choose a different name.");
    });
    const page = await begin();
    await write(page, "Name", "finance fails");
    await write(page, "URL", "https://hooks.example.org/1");
    await press(page, "Create automation");
    await screen.findByRole("alert");
    lost = false;
    await press(page, "Create automation");
    await waitFor(() => expect(screen.getByRole("alert").textContent).toContain("choose a different name"));
    expect(keys()).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), keys()[0]]);
    expect(field("Name").value).toBe("finance fails");
    await press(page, "Create automation");
    await waitFor(() => expect(keys()).toHaveLength(3));
    expect(keys()[2]).not.toBe(keys()[0]);
  });
});

describe("one automation", () => {
  it("lists what it has sent, with reason and answer, and sends one again", async () => {
    server.onField("sendAgain", { sendAgain: { delivery: { id: "delivery-1" } } });
    const page = await one([delivery()]);
    const item = screen.getByRole("listitem");
    expect(item.textContent).toContain("run calm-otter failed: no such table");
    expect(item.textContent).toContain("The receiver answered 500.");
    expect(within(item).getByRole("link", { name: "run fails" }).getAttribute("href")).toBe("/runs/run-1");
    await press(page, /^Send again/);
    expect(server.variables("sendAgain")).toEqual([{ input: { deliveryId: "delivery-1" } }]);
    await waitFor(() => expect(notices()).toContain("It is sent again."));
  });

  it("saves an edit on the version that was opened, whatever arrived since", async () => {
    server.onField("editAutomation", () =>
      graphqlError("conflict", "bob has changed the automation meanwhile; look at it again."),
    );
    const page = await one([]);
    await press(page, "Edit…");
    const theirs = automation({ revision: 5, q: "", sentence: "When a run fails, call a webhook." });
    server.onField("automation", { automation: theirs, deliveries: { items: [], next: null } });
    await page.queries.invalidateQueries({ queryKey: automationKeys.all });
    await screen.findByText("When a run fails, call a webhook.");
    await press(page, "Save automation");
    expect(server.variables("editAutomation")).toMatchObject([{ input: { revision: 4, q: "project:finance" } }]);
    await screen.findByText(/It now says: “When a run fails, call a webhook.”/);
    expect(screen.getByRole("alert").textContent).toContain("bob has changed");
    await press(page, "Save automation");
    await waitFor(() => expect(server.variables("editAutomation")).toHaveLength(2));
    expect(server.variables("editAutomation")[1]).toMatchObject({ input: { revision: 5, q: "project:finance" } });
  });

  it("shows what a test sent and why it did not arrive", async () => {
    server.onField("testAutomation", {
      testAutomation: {
        ok: false,
        request: "POST https://hooks.example.org/1",
        answer: "can't be reached",
        seconds: 5,
      },
    });
    const page = await one([]);
    await press(page, "Test");
    const dialog = await screen.findByRole("dialog", { name: "The test did not arrive" });
    expect(dialog.textContent).toContain("POST https://hooks.example.org/1");
    expect(dialog.textContent).toContain("can't be reached");
  });

  const RESTARTS: Partial<Automation> = {
    action: { kind: "RESTART", url: "", secret: "", to: [], text: "", ...NO_ACT },
    actsAs: "bob",
  };

  it("says what was done, offers it once, and leads to the run that was started", async () => {
    const done = delivery({ state: "SENT", reason: "", answer: "It started a run of demo/repair.", started: "run-2" });
    await one([done, delivery({ id: "delivery-2", answer: "" })], RESTARTS);
    const [first, second] = screen.getAllByRole("listitem");
    expect(first?.textContent).toContain("done");
    expect(first?.textContent).toContain("It started a run of demo/repair.");
    expect(
      within(first as HTMLElement)
        .getByRole("link", { name: "Open the run" })
        .getAttribute("href"),
    ).toBe("/runs/run-2");
    expect(within(first as HTMLElement).queryByRole("button")).toBeNull();
    expect(within(second as HTMLElement).getByRole("button", { name: /^Try again/ })).toBeTruthy();
    expect(screen.getByText(/with the rights of bob/)).toBeTruthy();
  });

  it("shows what it would do, and that nothing was done", async () => {
    const answer = "It would restart run calm-otter of demo/etl. Nothing was done.";
    server.onField("testAutomation", { testAutomation: { ok: true, request: "run.failed at …", answer, seconds: 0 } });
    const page = await one([], RESTARTS);
    await press(page, "Test");
    expect((await screen.findByRole("dialog", { name: "What it would do" })).textContent).toContain(answer);
  });

  it("is deleted after a question, and leads back to the list", async () => {
    server.onField("automations", { automations: [] });
    server.onField("deleteAutomation", { deleteAutomation: { automationId: "automation-1" } });
    const page = await one([]);
    await press(page, "Delete…");
    await press(page, "Delete automation");
    expect(await screen.findByText("No automations.")).toBeTruthy();
    expect(page.address()).toBe("/automations");
  });
});
