import { screen } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { renderPage } from "../../test/render";
import { fakeServer } from "../../test/server";

vi.stubGlobal("matchMedia", () => new EventTarget()); // jsdom has none
const { UserMenu } = await import("./user-menu");

it.each([
  ["only root can give it a user of its own", true],
  [null, false],
])("says whether runs are separated from the server: %s", async (reason, isShown) => {
  const server = fakeServer();
  server.onField("server", {
    server: { agentNotSeparated: reason },
    disk: { writable: true, freeBytes: 1, totalBytes: 2, warnings: [] },
    hold: { held: false, runs: 0, before: null },
    maintenance: { active: false, until: null, by: null, reason: null },
  });
  const page = await renderPage(<UserMenu />);
  await page.user.click(screen.getByRole("button", { name: /theme, password/ }));
  await screen.findByText("Documentation");
  const sentence = screen.queryByText(
    "Runs are not separated from the server: only root can give it a user of its own.",
  );
  expect(sentence !== null).toBe(isShown);
});
