import { screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import { token, user } from "../test/builders";
import { notices, type Page, renderPage } from "../test/render";
import { type FakeServer, fakeServer, refusal } from "../test/server";
import { TokensPage } from "./people";

const TOKENS = "GET /api/v1/tokens";
const CREATE = "POST /api/v1/tokens";
const ROTATE = "POST /api/v1/tokens/token-1/rotate";
const SECRET = "apl_api_abcdefghijklmnopqrstuvwxyz";
const ALL = ["users:manage", "tokens:manage"];
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

let server: FakeServer;
const row = (name: string) => screen.getByRole("rowheader", { name }).closest("tr") as Element;
const button = (name: string | RegExp) => screen.getByRole<HTMLButtonElement>("button", { name });
const secret = () => screen.queryByRole<HTMLTextAreaElement>("textbox", { name: "Token" })?.value;

async function show(tokens = [token()]): Promise<Page> {
  server.on(TOKENS, { items: tokens });
  const page = await renderPage(<TokensPage />, { role: "admin", permissions: ALL, path: "/people/tokens" });
  await (tokens.length > 0 ? screen.findAllByRole("rowheader") : screen.findByText("No tokens."));
  return page;
}

async function ask(page: Page, item: string): Promise<void> {
  await page.user.click(button(/^Actions for ci/));
  await page.user.click(screen.getByRole("menuitem", { name: item }));
}

beforeEach(() => {
  server = fakeServer();
  server.on("GET /api/v1/users", {
    items: [user({ id: "0", username: "alice" }), user(), user({ id: "2", username: "bob", disabled: true })],
  });
});

describe("the list of tokens", () => {
  it("says how each begins, whose it is, and when it was used", async () => {
    await show([token(), token({ id: "2", name: "edge", scope: "agent", last_used: "2025-11-22T06:00:00Z" })]);
    expect(row("ci").textContent).toContain("apl_api_abcd…User");
    expect(row("ci").textContent).toMatch(/Acts as maria.*Expires never.*Last used never/);
    expect(row("edge").textContent).toMatch(/Agent.*Last used 2025-11-22/);
  });

  it("marks what has expired, and what expires within 14 days", async () => {
    await show([
      token({ id: "1", name: "over", expires_at: inDays(-1) }),
      token({ id: "2", name: "soon", expires_at: inDays(13) }),
      token({ id: "3", name: "later", expires_at: inDays(15) }),
    ]);
    expect(row("over").querySelector(".pill")?.textContent).toBe("Expired");
    expect(row("soon").querySelector(".pill")?.textContent).toMatch(/^in 1[23] d/);
    expect(row("later").querySelector(".pill")).toBeNull();
  });

  it("offers no replacement of what has expired", async () => {
    const page = await show([token({ expires_at: inDays(-1) })]);
    await page.user.click(button(/^Actions for ci/));
    expect(screen.getAllByRole("menuitem").map((item) => item.textContent)).toEqual(["Revoke…"]);
  });

  it("says what a token is for, when there are none", async () => {
    await show([]);
    expect(screen.getByText(/without a password/)).toBeTruthy();
  });
});

describe("a new token", () => {
  it("is created for somebody who may sign in, and its secret is shown once", async () => {
    server.on(CREATE, { token: SECRET, view: token({ name: "export", expires_at: inDays(7) }) });
    const page = await show();
    await page.user.click(button("New token…"));
    await screen.findByRole("option", { name: "maria" });
    expect(screen.queryByRole("option", { name: "bob" })).toBeNull();
    await page.user.click(button("Create token"));
    expect(screen.getByText("Enter a name.")).toBeTruthy();
    await page.user.type(screen.getByLabelText("Name"), "export");
    await page.user.selectOptions(screen.getByLabelText("User"), "maria");
    await page.user.selectOptions(screen.getByLabelText("Lasts for"), "7 days");
    await page.user.click(button("Create token"));
    await waitFor(() => expect(secret()).toBe(SECRET));
    expect(server.bodies(CREATE)).toEqual([
      { name: "export", scope: "user", username: "maria", expires_in: 7 * 86_400 },
    ]);
    await page.user.click(button("Copy token"));
    await waitFor(() => expect(notices()).toEqual(["Token copied."]));
    expect(await navigator.clipboard.readText()).toBe(SECRET);
    await page.user.click(button("Done"));
    expect(document.body.textContent).not.toContain(SECRET);
    await waitFor(() =>
      expect(
        JSON.stringify(
          page.queries
            .getMutationCache()
            .getAll()
            .map((one) => one.state),
        ),
      ).not.toContain(SECRET),
    );
    await page.user.click(button("New token…"));
    expect(secret()).toBeUndefined();
  });

  it("lasts for the site's usual time unless one chooses, and says what the server refuses", async () => {
    server.on(CREATE, () => refusal(400, "invalid", "At this site a token lasts at most 7 days."));
    const page = await show();
    await page.user.click(button("New token…"));
    await page.user.type(screen.getByLabelText("Name"), "edge");
    await page.user.click(screen.getByRole("radio", { name: /^Agent/ }));
    await page.user.click(button("Create token"));
    expect((await screen.findByRole("alert")).textContent).toContain("at most 7 days");
    expect(server.bodies(CREATE)).toEqual([{ name: "edge", scope: "agent", username: "alice" }]);
    expect(server.callsTo(CREATE)[0]?.headers.get("Idempotency-Key")).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe("a token", () => {
  it("is replaced with an overlap", async () => {
    server.on(ROTATE, { token: SECRET, view: token({ id: "2" }) });
    const page = await show();
    await ask(page, "Replace…");
    await page.user.selectOptions(screen.getByLabelText("The old token stays valid for"), "1 hour");
    await page.user.click(button("Replace token"));
    await waitFor(() => expect(secret()).toBe(SECRET));
    expect(server.bodies(ROTATE)).toEqual([{ overlap: 3_600 }]);
    expect(screen.getByRole("dialog").textContent).toContain("doesn't expire");
  });

  it("that has ended meanwhile says so", async () => {
    server.on(ROTATE, () => refusal(409, "conflict", "The token 'ci' has ended."));
    const page = await show();
    await ask(page, "Replace…");
    await page.user.click(button("Replace token"));
    expect((await screen.findByRole("alert")).textContent).toBe("The token 'ci' has ended.");
    expect(server.bodies(ROTATE)).toEqual([{ overlap: 86_400 }]);
  });

  it("is revoked by asking first", async () => {
    server.on("DELETE /api/v1/tokens/token-1", () => null);
    const page = await show();
    await ask(page, "Revoke…");
    expect(screen.getByRole("alertdialog").textContent).toContain("apl_api_abcd… of maria, never used.");
    server.on(TOKENS, { items: [] });
    await page.user.click(button("Revoke token"));
    await screen.findByText("No tokens.");
    expect(notices()).toEqual(["Revoked ci."]);
    expect(server.callsTo("DELETE /api/v1/tokens/token-1")[0]?.headers.get("Idempotency-Key")).toBeTruthy();
  });
});
