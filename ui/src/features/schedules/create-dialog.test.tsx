import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import { flow } from "../../test/builders";
import { notices, type Page, renderPage } from "../../test/render";
import { type FakeServer, fakeServer, graphqlError } from "../../test/server";
import { AddSchedule } from "./add-schedule";

const MAY = ["schedules:edit"];
const PREVIEW = { description: "At 06:00", timezone: "UTC", times: [], dropped: [], missing: ["region"] };
let server: FakeServer;

describe("a new schedule", () => {
  const add = (page: Page) => page.user.click(screen.getByRole("button", { name: "Add schedule" }));
  const inputs = () => server.variables("createSchedule").map(({ input }) => input);
  const begin = async () => {
    const region = { name: "region", required: true, default: null, schema: { type: "string" } };
    const page = await renderPage(<AddSchedule flow={flow([region])} />, { permissions: MAY });
    await page.user.click(screen.getByRole("button", { name: "Add schedule…" }));
    await screen.findByRole("alertdialog");
    return page;
  };

  beforeEach(() => {
    server = fakeServer();
    server.onField("schedulePreview", { schedulePreview: PREVIEW });
    server.onField("createSchedule", { createSchedule: { schedule: { id: "new", description: "At 07:00" } } });
  });

  it("is not offered to those who may not", async () => {
    await renderPage(<AddSchedule flow={flow()} />, { permissions: [] });
    expect(screen.queryByRole("button", { name: "Add schedule…" })).toBeNull();
  });

  it("is sent whole", async () => {
    const page = await begin();
    const dialog = screen.getByRole("alertdialog");
    expect(dialog.textContent).toContain("Required: region.");
    await within(dialog).findByText("Required parameters without a value: region.");
    await page.user.selectOptions(screen.getByLabelText("Due"), "dates");
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Add schedule" }).disabled).toBe(true);
    await page.user.click(screen.getByLabelText(/^Dates/));
    await page.user.paste("2026-12-24 06:00\n\n2026-12-25T06:00:00Z");
    await page.user.clear(screen.getByLabelText(/^Time zone/));
    await page.user.type(screen.getByLabelText(/^Time zone/), "Asia/Tokyo");
    await page.user.clear(screen.getByLabelText(/^Parameters/));
    await page.user.click(screen.getByLabelText(/^Parameters/));
    await page.user.paste('{"region": "eu"}');
    await add(page);
    expect(inputs()).toEqual([
      {
        flowId: "flow-1",
        document: {
          kind: "dates",
          dates: ["2026-12-24T06:00", "2026-12-25T06:00:00Z"],
          timezone: "Asia/Tokyo",
          labels: [],
        },
        parameters: { region: "eu" },
        catchUp: "latest",
        catchUpCap: 100,
        catchUpWindow: null,
        overlap: "allow",
      },
    ]);
    await waitFor(() => expect(notices()[0]).toMatch(/^At 07:00: added/));
    expect(screen.queryByRole("alertdialog")).toBeNull();
  });

  it("stays as typed if it was refused, with the cursor where the problem is", async () => {
    server.onField("createSchedule", () =>
      graphqlError("invalid", "There is no such time zone.", { field: "timezone" }),
    );
    const page = await begin();
    await add(page);
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText(/^Time zone/)));
    expect(screen.getByRole("alertdialog").textContent).toContain("There is no such time zone.");
  });
});
