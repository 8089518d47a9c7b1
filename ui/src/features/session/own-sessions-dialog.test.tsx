import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, it, vi } from "vitest";
import { browserSession } from "../../test/builders";
import { notices, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, refusal } from "../../test/server";
import OwnSessionsDialog from "./own-sessions-dialog";

const END = "DELETE /api/v1/sessions/lost";

let server: FakeServer;
const onClose = vi.fn();
const items = () => screen.getAllByRole("listitem");

beforeEach(async () => {
  server = fakeServer();
  server.on("GET /api/v1/sessions", {
    items: [
      browserSession({ current: true }),
      browserSession({ id: "lost", browser: "Safari on iPhone", address: "198.51.100.4" }),
    ],
  });
});

it("marks this browser, and ends another", async () => {
  server.on(END, () => null);
  const page = await renderPage(<OwnSessionsDialog onClose={onClose} />);
  await screen.findByText("This browser");
  expect(within(items()[0] as HTMLElement).queryByRole("button")).toBeNull();
  server.on("GET /api/v1/sessions", { items: [browserSession({ current: true })] });
  await page.user.click(within(items()[1] as HTMLElement).getByRole("button"));
  await waitFor(() => expect(items()).toHaveLength(1));
  expect(notices()).toEqual(["That browser is signed out."]);
  expect(server.callsTo(END)[0]?.headers.get("Idempotency-Key")).toBeTruthy();
});

it("tells two apart by browser and address", async () => {
  await renderPage(<OwnSessionsDialog onClose={onClose} />);
  await screen.findByText("This browser");
  const told = items().map((item) => item.textContent);
  expect(told[0]).toMatch(/^Firefox on Linux.*from 192\.0\.2\.7/);
  expect(told[1]).toMatch(/^Safari on iPhone.*from 198\.51\.100\.4/);
});

it("says that it does not know them", async () => {
  server.on("GET /api/v1/sessions", { items: [browserSession({ browser: "", address: "" })] });
  await renderPage(<OwnSessionsDialog onClose={onClose} />);
  await screen.findByText("Unknown browser");
  expect(items()[0]?.textContent).not.toContain("from");
});

it("says why one could not be ended", async () => {
  server.on(END, () => refusal(404, "not_found", "You have no such session; it may have ended."));
  const page = await renderPage(<OwnSessionsDialog onClose={onClose} />);
  await page.user.click(await screen.findByRole("button", { name: "Sign out session 2" }));
  expect((await screen.findByRole("alert")).textContent).toContain("it may have ended");
});
