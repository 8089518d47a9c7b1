import { screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, it, vi } from "vitest";
import type { Limit } from "../../api/limits";
import { limit } from "../../test/builders";
import { notices, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, graphqlError } from "../../test/server";
import { NewLimitDialog } from "./new-limit-dialog";

const SET = "setConcurrencyLimit";
let server: FakeServer;
const onClose = vi.fn();
const open = (limits: readonly Limit[] = []) => renderPage(<NewLimitDialog limits={limits} isOpen onClose={onClose} />);
const text = (name: string) => screen.getByRole<HTMLInputElement>("textbox", { name });
const save = () => screen.getByRole("button", { name: /limit$/ });

beforeEach(() => {
  onClose.mockReset();
  server = fakeServer();
  server.onField(SET, ({ input }: Record<string, unknown>) => ({
    [SET]: { concurrencyLimit: limit(input as Partial<Limit>) },
  }));
});

it("limits how many run at once", async () => {
  const page = await open();
  await page.user.type(text("Name"), "gpu");
  await page.user.clear(text("Slots"));
  await page.user.type(text("Slots"), "2{Enter}");
  await waitFor(() => expect(onClose).toHaveBeenCalled());
  expect(server.variables(SET)[0]?.input).toEqual({ kind: "label", name: "gpu", slots: 2, per: null });
  expect(notices()[0]).toContain("Label gpu: at most 2 at once.");
});

it("limits how often tasks start", async () => {
  const page = await open();
  await choose(page, "Applies to", "Task rate");
  await page.user.type(text("Name"), "api");
  await page.user.clear(text("Starts"));
  await page.user.type(text("Starts"), "100");
  await choose(page, "In any", "hour");
  await page.user.click(save());
  await waitFor(() => expect(onClose).toHaveBeenCalled());
  expect(server.variables(SET)[0]?.input).toEqual({ kind: "task_rate", name: "api", slots: 100, per: 3600 });
  expect(notices()[0]).toContain("Task rate api: at most 100 starts in any hour.");
});

it("says that saving changes a limit that exists", async () => {
  const page = await open([limit({ slots: 3 })]);
  await page.user.type(text("Name"), "gpu");
  expect(screen.getByText("This limit already exists (at most 3 at once); saving changes that.")).toBeTruthy();
  expect(save().textContent).toBe("Change limit");
});

it("says at the field what is wrong, and what the server refuses, and stays open", async () => {
  server.onField(SET, () => graphqlError("conflict", "A limit can't be set now."));
  const page = await open();
  await page.user.clear(text("Slots"));
  await page.user.click(save());
  expect(screen.getByText("Enter a name.")).toBeTruthy();
  expect(screen.getByText("Enter a whole number, 0 or more.")).toBeTruthy();
  await page.user.type(text("Name"), "gpu");
  await page.user.type(text("Slots"), "1");
  await page.user.click(save());
  expect(await screen.findByText("A limit can't be set now.")).toBeTruthy();
  expect(onClose).not.toHaveBeenCalled();
});

async function choose(page: Awaited<ReturnType<typeof renderPage>>, label: string, option: string) {
  await page.user.selectOptions(screen.getByRole("combobox", { name: label }), option);
}
