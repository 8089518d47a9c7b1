import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import type { Secret } from "../api/secrets";
import { secret } from "../test/builders";
import { notices, type Page, renderPage } from "../test/render";
import { type FakeServer, fakeServer, graphqlError } from "../test/server";
import { SecretsPage } from "./secrets";

const VALUE = "correct horse battery staple";
const MAY = ["secrets:read", "secrets:edit"];

let server: FakeServer;
const row = (name: string) => screen.getByRole("rowheader", { name }).closest("tr") as HTMLElement;
const button = (name: string | RegExp) => screen.getByRole<HTMLButtonElement>("button", { name });
const box = (name: string) => screen.getByRole<HTMLInputElement>(name === "Project" ? "combobox" : "textbox", { name });
const inputs = (field: string) => server.variables(field).map(({ input }) => input as Record<string, unknown>);
const page = (...items: Secret[]) => ({ secrets: { items, next: null } });

async function show(secrets: Secret[] = [secret()], permissions = MAY): Promise<Page> {
  server.onField("secrets", page(...secrets));
  const shown = await renderPage(<SecretsPage />, { permissions, path: "/secrets" });
  await (secrets.length > 0 ? screen.findAllByRole("rowheader") : screen.findByText("No secrets."));
  return shown;
}

beforeEach(() => {
  server = fakeServer();
  server.onField("projects", { projects: [] });
  server.onField("setSecret", ({ input }) => {
    const { project, name } = input as { project: string; name: string };
    return { setSecret: { secret: secret({ projectName: project, name }) } };
  });
  server.onField("deleteSecret", { deleteSecret: { secretId: "secret-1" } });
});

describe("the list of secrets", () => {
  it("says where each belongs, who set it, and which flows use it", async () => {
    await show([
      secret({
        updatedBy: "maria",
        usedBy: [
          { flowId: "f1", flowName: "etl" },
          { flowId: "f2", flowName: "report" },
        ],
        userCount: 23,
      }),
      secret({ id: "2", name: "UNUSED" }),
    ]);
    expect(row("TOKEN").textContent).toMatch(/^main.*maria.*etl, report and 21 more flows/);
    expect(within(row("TOKEN")).getByRole("link", { name: "etl" }).getAttribute("href")).toBe("/flows/f1");
    expect(row("UNUSED").textContent).toContain("No flow declares it.");
  });

  it("has all pages of the server's", async () => {
    server.onField("secrets", ({ after }) =>
      after === null
        ? { secrets: { items: [secret()], next: "cursor" } }
        : { secrets: { items: [secret({ id: "2", name: "SECOND" })], next: null } },
    );
    await renderPage(<SecretsPage />, { permissions: MAY, path: "/secrets" });
    expect(await screen.findAllByRole("rowheader")).toHaveLength(2);
    expect(server.variables("secrets").map(({ after }) => after)).toEqual([null, "cursor"]);
  });

  it("says what a secret is for when there are none, and offers one", async () => {
    const shown = await show([]);
    expect(screen.getByText(/Only runs of flows that declare it can read it/)).toBeTruthy();
    await shown.user.click(button("New secret…"));
    expect(screen.getByRole("dialog", { name: "New secret" })).toBeTruthy();
  });

  it("can only be read by those who may not change it", async () => {
    await show([secret()], ["secrets:read"]);
    expect(screen.queryByRole("button", { name: /Replace|Delete|New/ })).toBeNull();
  });

  it("says what went wrong", async () => {
    server.onField("secrets", () => graphqlError("forbidden", "You may not."));
    await renderPage(<SecretsPage />, { permissions: MAY, path: "/secrets" });
    expect(await screen.findByText(/You may not/)).toBeTruthy();
  });
});

describe("a new secret", () => {
  const fill = async (shown: Page, values: Record<string, string>) => {
    await shown.user.click(button("New secret…"));
    for (const [label, value] of Object.entries(values)) await shown.user.type(box(label), value);
  };

  it("is sent once, and its value is nowhere on the page afterwards", async () => {
    const shown = await show();
    await fill(shown, { Project: "main", Name: "PASSWORD", Value: VALUE });
    await shown.user.click(button("Create secret"));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(inputs("setSecret")).toEqual([
      { project: "main", name: "PASSWORD", value: VALUE, idempotencyKey: expect.stringMatching(/^[0-9a-f]{32}$/) },
    ]);
    expect(document.documentElement.outerHTML).not.toContain(VALUE);
    expect(notices()[0]).toContain("Secret PASSWORD of project main is set.");
    await shown.user.click(button("New secret…"));
    expect(box("Value").value).toBe("");
  });

  it("says what is missing, and sends nothing", async () => {
    const shown = await show();
    await fill(shown, { Name: "1 x" });
    await shown.user.click(button("Create secret"));
    for (const error of ["Enter a project.", /no digit first/, "Enter a value."])
      expect(screen.getByText(error)).toBeTruthy();
    expect(inputs("setSecret")).toEqual([]);
  });

  it("keeps several lines", async () => {
    const shown = await show();
    await fill(shown, { Project: "main", Name: "KEY", Value: "one{Enter}two" });
    await shown.user.click(button("Create secret"));
    await waitFor(() => expect(inputs("setSecret")[0]?.value).toBe("one\ntwo"));
  });

  it("that exists is said to be replaced", async () => {
    const shown = await show();
    await fill(shown, { Project: "main", Name: "TOKEN" });
    expect(screen.getByText(/already exists/)).toBeTruthy();
    expect(button("Replace value")).toBeTruthy();
  });

  it("says why the server refused it, and keeps what was typed", async () => {
    server.onField("setSecret", () => graphqlError("quota_reached", "The project has 1,000 secrets."));
    const shown = await show();
    await fill(shown, { Project: "main", Name: "PASSWORD", Value: VALUE });
    await shown.user.click(button("Create secret"));
    expect((await screen.findByRole("alert")).textContent).toContain("1,000 secrets");
    expect(box("Value").value).toBe(VALUE);
  });
});

describe("an existing secret", () => {
  it("gets another value, without the old one being shown", async () => {
    const shown = await show();
    await shown.user.click(button("Replace the value of TOKEN"));
    expect(box("Value").value).toBe("");
    await shown.user.type(box("Value"), VALUE);
    await shown.user.click(button("Replace value"));
    await waitFor(() => expect(inputs("setSecret")).toHaveLength(1));
    expect(inputs("setSecret")[0]).toMatchObject({ project: "main", name: "TOKEN", value: VALUE });
    await waitFor(() => expect(document.documentElement.outerHTML).not.toContain(VALUE));
  });

  it("is deleted after a question that names the flows", async () => {
    const shown = await show([secret({ usedBy: [{ flowId: "f1", flowName: "etl" }], userCount: 1 })]);
    await shown.user.click(button("Delete secret TOKEN"));
    const question = screen.getByRole("alertdialog", { name: "Delete secret TOKEN?" });
    expect(question.textContent).toContain("Used by etl");
    await shown.user.click(within(question).getByRole("button", { name: "Keep secret" }));
    expect(inputs("deleteSecret")).toEqual([]);
    await shown.user.click(button("Delete secret TOKEN"));
    await shown.user.click(button("Delete secret"));
    await waitFor(() => expect(inputs("deleteSecret")).toHaveLength(1));
    expect(inputs("deleteSecret")[0]).toMatchObject({ secretId: "secret-1" });
    await waitFor(() => expect(notices()[0]).toContain("is deleted"));
  });
});
