import { screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, it } from "vitest";
import { type Page, renderPage } from "../test/render";
import { type FakeServer, fakeServer, refusal } from "../test/server";
import { SetupPage } from "./setup";

const ROUTE = "POST /api/v1/setup";
const PASSWORD = "several words in a row";
const ME = {
  username: "admin",
  role: "admin",
  permissions: ["read"],
  csrf_token: "csrf-1",
  must_change_password: false,
};

let server: FakeServer;

const show = (path: string, setupRequired = true) => renderPage(<SetupPage />, { path, setupRequired });

async function create(page: Page): Promise<void> {
  await page.user.type(screen.getByLabelText("Password"), PASSWORD);
  await page.user.click(screen.getByRole("button", { name: "Create administrator" }));
}

beforeEach(() => {
  server = fakeServer();
  server.on("POST /api/v1/login", ME);
});

it.each(["/setup#token=secret-1", "/setup?token=secret-1"])("takes the token out of %s and sends it", async (path) => {
  server.on(ROUTE, ME);
  const page = await show(path);
  await waitFor(() => expect(page.href()).toBe("/setup"));
  expect(screen.queryByLabelText("Setup link")).toBeNull();
  await create(page);
  await waitFor(() =>
    expect(server.bodies(ROUTE)).toEqual([{ token: "secret-1", username: "admin", password: PASSWORD }]),
  );
});

it("asks for the link where there is none, and finds the token in it", async () => {
  server.on(ROUTE, ME);
  const page = await show("/setup");
  expect(document.activeElement).toBe(screen.getByLabelText("Setup link"));
  await page.user.type(screen.getByLabelText("Setup link"), " http://127.0.0.1:4200/setup#token=secret-2 ");
  await create(page);
  await waitFor(() => expect(server.bodies(ROUTE)).toMatchObject([{ token: "secret-2" }]));
});

it("says why the link does not work", async () => {
  server.on(ROUTE, () => refusal(403, "forbidden", "The setup link has expired."));
  const page = await show("/setup#token=secret-1");
  await create(page);
  expect((await screen.findByRole("alert")).textContent).toBe("The setup link has expired.");
});

it("keeps no token in the address when somebody has set up", async () => {
  const page = await show("/setup#token=secret-1", false);
  await screen.findByRole("heading", { name: "Already set up" });
  await waitFor(() => expect(page.href()).toBe("/setup"));
});
