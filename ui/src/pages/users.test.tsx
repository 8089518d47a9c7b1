import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import { browserSession, token, user } from "../test/builders";
import { notices, type Page, renderPage } from "../test/render";
import { type FakeServer, fakeServer, held, refusal } from "../test/server";
import { UsersPage } from "./people";

const USERS = "GET /api/v1/users";
const PATCH = "PATCH /api/v1/users/user-1";
const ALL = ["users:manage", "tokens:manage"];
const PASSWORD = "several words in a row";
const NOT_YOURSELF = "You can't disable, demote, or delete yourself; another administrator can.";

let server: FakeServer;
const me = user({ id: "user-0", username: "alice", role: "admin" });
const row = (name: string) => screen.getByRole("rowheader", { name: new RegExp(`^${name}`) }).closest("tr") as Element;
const button = (name: string) => screen.getByRole<HTMLButtonElement>("button", { name });
const keys = (route: string) => server.callsTo(route).map((call) => call.headers.get("Idempotency-Key"));

async function show(users = [me, user()], permissions = ALL): Promise<Page> {
  server.on(USERS, { items: users });
  const page = await renderPage(<UsersPage />, { role: "admin", permissions, path: "/people/users" });
  if (permissions.length > 0) await screen.findAllByRole("rowheader");
  return page;
}

async function ask(page: Page, item: string, name = "maria"): Promise<void> {
  await page.user.click(button(`Actions for ${name}`));
  await page.user.click(screen.getByRole("menuitem", { name: item }));
}

beforeEach(() => {
  server = fakeServer();
});

describe("the list of users", () => {
  it("says role and state, and who one is oneself", async () => {
    await show([
      me,
      user({ disabled: true, must_change_password: true }),
      user({ id: "3", username: "zoe", must_change_password: true }),
    ]);
    expect(row("alice").textContent).toMatch(/^aliceYouAdminActive/);
    expect(row("maria").textContent).toMatch(/^mariaOperatorDisabled/);
    expect(row("zoe").textContent).toMatch(/^zoeOperatorMust change password/);
  });

  it("says that it loads, and why it could not", async () => {
    const answer = held<Response>();
    server.on(USERS, () => answer.promise);
    await renderPage(<UsersPage />, { role: "admin", permissions: ALL });
    expect(screen.getByRole("status", { name: "Loading users" })).toBeTruthy();
    answer.release(refusal(500, "internal", "The server failed."));
    expect((await screen.findByRole("alert")).textContent).toContain("The users could not be loaded.");
    server.on(USERS, { items: [me] });
    fireEvent.click(button("Try again"));
    await screen.findByRole("rowheader", { name: /^alice/ });
  });

  it("is not asked for by others, who learn what they lack", async () => {
    await show([], []);
    expect(screen.getByRole("heading", { name: "People is for administrators." })).toBeTruthy();
    expect(server.calls).toEqual([]);
  });
});

describe("a new user", () => {
  it("is added with a name, a role and a password", async () => {
    server.on("POST /api/v1/users", user({ username: "zoe", role: "admin" }));
    const page = await show();
    await page.user.keyboard("n");
    expect(document.activeElement).toBe(screen.getByLabelText("User name"));
    await page.user.click(button("Add user"));
    expect(screen.getByText("Enter a name.")).toBeTruthy();
    expect(screen.getByText("Enter a password.")).toBeTruthy();
    expect(server.callsTo("POST /api/v1/users")).toEqual([]);
    await page.user.type(screen.getByLabelText("User name"), " zoe ");
    await page.user.click(screen.getByRole("radio", { name: /^Admin/ }));
    await page.user.type(screen.getByLabelText("Password"), PASSWORD);
    await page.user.click(button("Add user"));
    await waitFor(() => expect(notices()).toEqual(["zoe can sign in now."]));
    expect(server.bodies("POST /api/v1/users")).toEqual([
      { username: "zoe", password: PASSWORD, role: "admin", must_change: true },
    ]);
    expect(keys("POST /api/v1/users")[0]).toMatch(/^[0-9a-f]{32}$/);
    await waitFor(() => expect(server.callsTo(USERS)).toHaveLength(2));
  });

  it("that the server refuses keeps the form, and is sent again under the same key", async () => {
    server.on("POST /api/v1/users", () => refusal(409, "conflict", "There is already a user maria."));
    const page = await show();
    await page.user.click(button("Add user…"));
    await page.user.type(screen.getByLabelText("User name"), "maria");
    await page.user.type(screen.getByLabelText("Password"), PASSWORD);
    await page.user.click(button("Add user"));
    expect((await screen.findByRole("alert")).textContent).toBe("There is already a user maria.");
    await page.user.click(button("Add user"));
    await waitFor(() => expect(server.callsTo("POST /api/v1/users")).toHaveLength(2));
    await page.user.click(screen.getByRole("checkbox", { name: /must change it at their first sign-in/ }));
    await page.user.click(button("Add user"));
    await waitFor(() => expect(server.callsTo("POST /api/v1/users")).toHaveLength(3));
    const [first, again, other] = keys("POST /api/v1/users");
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    expect(server.bodies("POST /api/v1/users").at(-1)).toMatchObject({ username: "maria", must_change: false });
  });
});

describe("a user", () => {
  it("gets another role", async () => {
    server.on(PATCH, user({ role: "viewer" }));
    const page = await show();
    await ask(page, "Change role…");
    expect(button("Change role").disabled).toBe(true);
    await page.user.click(screen.getByRole("radio", { name: /^Viewer/ }));
    await page.user.click(button("Change role"));
    await waitFor(() => expect(notices()).toEqual(["maria: Operator → Viewer."]));
    expect(server.bodies(PATCH)).toEqual([{ role: "viewer" }]);
  });

  it("that may not be changed says why, beside the button", async () => {
    server.on("PATCH /api/v1/users/user-0", () => refusal(409, "conflict", NOT_YOURSELF));
    const page = await show();
    await ask(page, "Change role…", "alice");
    await page.user.click(screen.getByRole("radio", { name: /^Viewer/ }));
    await page.user.click(button("Change role"));
    expect((await screen.findByRole("alert")).textContent).toBe(NOT_YOURSELF);
    await page.user.click(button("Keep role"));
    await ask(page, "Disable…", "alice");
    await page.user.click(button("Disable user"));
    expect((await screen.findByRole("alert")).textContent).toBe(NOT_YOURSELF);
  });

  it("is disabled by asking first, and enabled at once", async () => {
    server.on(PATCH, (call: { body: unknown }) => user(call.body as object));
    const page = await show();
    await ask(page, "Disable…");
    server.on(USERS, { items: [me, user({ disabled: true })] });
    await page.user.click(button("Disable user"));
    await waitFor(() => expect(row("maria").textContent).toContain("Disabled"));
    await ask(page, "Enable");
    await waitFor(() => expect(notices()).toEqual(["maria is disabled.", "maria may sign in again."]));
    expect(server.bodies(PATCH)).toEqual([{ disabled: true }, { disabled: false }]);
    expect(keys(PATCH).every(Boolean)).toBe(true);
  });

  it("gets a password, which they must change unless one says otherwise", async () => {
    const route = "PUT /api/v1/users/user-1/password";
    server.on(route, user());
    const page = await show();
    await ask(page, "Set password…");
    await page.user.click(button("Set password"));
    expect(screen.getByText("Enter a password.")).toBeTruthy();
    await page.user.type(screen.getByLabelText("New password"), PASSWORD);
    await page.user.click(screen.getByRole("checkbox", { name: /must change/ }));
    await page.user.click(button("Set password"));
    await waitFor(() => expect(notices()).toEqual(["Password of maria set. They are signed out everywhere."]));
    expect(server.bodies(route)).toEqual([{ password: PASSWORD, must_change: false }]);
  });

  it("that one is oneself changes the password with the current one", async () => {
    const page = await show();
    await ask(page, "Set password…", "alice");
    expect(screen.getByRole("dialog", { name: "Change password" })).toBeTruthy();
    expect(screen.getByLabelText("Current password")).toBeTruthy();
  });

  it("is signed out of every browser that the dialog lists", async () => {
    const route = "/api/v1/users/user-1/sessions";
    server.on(`GET ${route}`, { items: [browserSession(), browserSession({ id: "2", current: true })] });
    server.on(`DELETE ${route}`, () => null);
    const page = await show();
    await ask(page, "Sessions…");
    const dialog = screen.getByRole("dialog", { name: "Sessions of maria" });
    expect(await within(dialog).findAllByRole("listitem")).toHaveLength(2);
    expect(dialog.textContent).toContain("You will be signed out too.");
    await page.user.click(button("Sign out of every browser"));
    await waitFor(() => expect(notices()).toEqual(["maria is signed out of every browser."]));
    expect(keys(`DELETE ${route}`)[0]).toBeTruthy();
  });

  it("without sessions can't be signed out", async () => {
    server.on("GET /api/v1/users/user-1/sessions", { items: [] });
    const page = await show();
    await ask(page, "Sessions…");
    expect(await screen.findByText("No browser is signed in as maria.")).toBeTruthy();
    expect(button("Sign out of every browser").disabled).toBe(true);
  });

  it("is deleted after reading what goes, and typing the name", async () => {
    server.on("GET /api/v1/users/user-1/sessions", { items: [browserSession()] });
    server.on("GET /api/v1/tokens", { items: [token(), token({ id: "2", name: "theirs", username: "bob" })] });
    server.on("DELETE /api/v1/users/user-1", () => null);
    const page = await show();
    await ask(page, "Delete…");
    const list = await screen.findByRole("list", { name: "What is deleted" });
    expect(
      within(list)
        .getAllByRole("listitem")
        .map((item) => item.textContent),
    ).toEqual(["their account and password", "1 session in browsers", "1 token: ci"]);
    expect(button("Delete user").disabled).toBe(true);
    await page.user.type(screen.getByLabelText("Type maria to confirm"), "maria");
    await page.user.click(button("Delete user"));
    await waitFor(() => expect(notices()).toEqual(["Deleted maria."]));
  });
});
