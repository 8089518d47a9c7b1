import { screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { currentSession } from "../../api/session";
import { notices, type Page, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, refusal } from "../../test/server";
import { PasswordDialog } from "./password-dialog";
import { PasswordForm } from "./password-form";

const ME = {
  username: "alice",
  role: "operator",
  permissions: ["read"],
  csrf_token: "csrf-1",
  must_change_password: false,
};
const ROUTE = "POST /api/v1/password";
const OLD = "preset";
const NEW = "several words in a row";

let server: FakeServer;
const onDone = vi.fn();

const current = () => screen.getByLabelText("Current password");
const chosen = () => screen.getByLabelText("New password");
const submit = (page: Page) => page.user.click(screen.getByRole("button", { name: "Change password" }));

async function fill(page: Page, old: string, next: string): Promise<void> {
  await page.user.clear(current());
  if (old) await page.user.type(current(), old);
  await page.user.clear(chosen());
  if (next) await page.user.type(chosen(), next);
  await submit(page);
}

beforeEach(() => {
  server = fakeServer();
  onDone.mockReset();
});

describe("the form", () => {
  it("begins at the current password, and tells a password manager whose it is", async () => {
    await renderPage(<PasswordForm onDone={onDone} />);
    expect(document.activeElement).toBe(current());
    expect(current().getAttribute("autocomplete")).toBe("current-password");
    expect(chosen().getAttribute("autocomplete")).toBe("new-password");
    expect(document.querySelector<HTMLInputElement>("input[autocomplete=username]")?.value).toBe("alice");
  });

  it("changes the password", async () => {
    server.on(ROUTE, ME);
    const page = await renderPage(<PasswordForm onDone={onDone} />);
    await fill(page, OLD, NEW);
    await waitFor(() => expect(onDone).toHaveBeenCalledOnce());
    expect(server.bodies(ROUTE)).toEqual([{ current: OLD, new: NEW }]);
    expect(currentSession().me?.permissions).toEqual(["read"]);
    expect(notices()).toEqual(["Password changed. You are signed out everywhere else."]);
  });

  it("says how much is missing, and sends nothing", async () => {
    const page = await renderPage(<PasswordForm onDone={onDone} />);
    await fill(page, OLD, "short");
    expect(screen.getByText("7 more characters needed.")).toBeTruthy();
    expect(document.activeElement).toBe(chosen());
    await fill(page, "", NEW);
    expect(document.activeElement).toBe(current());
    expect(server.calls).toEqual([]);
  });

  it("says at the field that the current password is wrong, until it is typed again", async () => {
    server.on(ROUTE, () => refusal(403, "wrong_password", "The current password is wrong."));
    const page = await renderPage(<PasswordForm onDone={onDone} />);
    await fill(page, "guess", NEW);
    await screen.findByText("The current password is wrong.");
    expect(document.activeElement).toBe(current());
    expect(currentSession().me?.username).toBe("alice");
    await page.user.type(current(), "x");
    expect(screen.queryByText("The current password is wrong.")).toBeNull();
    expect(onDone).not.toHaveBeenCalled();
  });

  it("shows any other refusal as it is", async () => {
    server.on(ROUTE, () => refusal(400, "invalid", "The password is too easy to guess."));
    const page = await renderPage(<PasswordForm onDone={onDone} />);
    await fill(page, OLD, NEW);
    expect((await screen.findByRole("alert")).textContent).toBe("The password is too easy to guess.");
    expect(document.activeElement).toBe(chosen());
  });

  it("sends the same again under the same key, and another password under another", async () => {
    server.on(ROUTE, () => refusal(503, "unavailable", "Try again."));
    const page = await renderPage(<PasswordForm onDone={onDone} />);
    await fill(page, OLD, NEW);
    await screen.findByRole("alert");
    await submit(page);
    await waitFor(() => expect(server.callsTo(ROUTE)).toHaveLength(2));
    await screen.findByRole("alert");
    await fill(page, OLD, `${NEW} more`);
    await waitFor(() => expect(server.callsTo(ROUTE)).toHaveLength(3));
    const [first, again, other] = server.callsTo(ROUTE).map((call) => call.headers.get("Idempotency-Key"));
    expect(first).toBeTruthy();
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });
});

it("closes its dialog when the password is changed", async () => {
  server.on(ROUTE, ME);
  const page = await renderPage(<PasswordDialog isOpen onClose={onDone} />);
  await fill(page, OLD, NEW);
  await waitFor(() => expect(onDone).toHaveBeenCalledOnce());
  await page.user.click(screen.getByRole("button", { name: "Keep password" }));
  expect(onDone).toHaveBeenCalledTimes(2);
});
