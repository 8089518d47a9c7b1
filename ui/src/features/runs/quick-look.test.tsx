import { screen, within } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import type { RunRow } from "../../api/flow-runs";
import { runRow, state } from "../../test/builders";
import { renderPage } from "../../test/render";
import { QuickLook } from "./quick-look";

const onClose = vi.fn();
const show = (run: Partial<RunRow>) =>
  renderPage(<QuickLook run={runRow({ id: "run-7", name: "calm-otter", ...run })} onClose={onClose} />);
const look = () => within(screen.getByRole("complementary", { name: "Quick look at calm-otter" }));
const facts = () =>
  look()
    .getAllByRole("term")
    .map((term) => term.textContent);

describe("the quick look", () => {
  it("says why a run failed and how far it came", async () => {
    const cause = { taskSlug: "load", mapIndex: 3, message: "KeyError: 'id'" };
    const taskCounts = { total: 10, success: 6, failed: 1, running: 0, waiting: 0, other: 3 };
    await show({ state: state("FAILED"), cause, taskCounts, agent: { name: "box-1" }, attempt: 2 });
    expect(look().getByText("load[3]")).toBeTruthy();
    expect(look().getByText("KeyError: 'id'")).toBeTruthy();
    expect(look().getByText(/, 1 failed$/)).toBeTruthy();
    expect(look().getByRole("progressbar", { name: "Tasks that have ended" })).toHaveProperty("max", 10);
    expect(facts()).toEqual(["Flow", "Version", "Due", "Started", "Ended", "Duration", "Attempt", "Agent", "By"]);
  });

  it("says what a run waits for, with a link to the run that is in its way", async () => {
    await show({
      state: state("SCHEDULED"),
      startTime: null,
      endTime: null,
      waitReason: "Waits for wise-heron to end.",
      waitHolders: [{ id: "run-9", name: "wise-heron" }],
    });
    expect(look().getByRole("link", { name: "wise-heron" }).getAttribute("href")).toBe("/runs/run-9");
    expect(facts()).toEqual(["Flow", "Version", "Due", "By"]);
  });

  it("leads to the run, and closes", async () => {
    const page = await show({});
    await page.user.click(look().getByRole("button", { name: "Close the quick look" }));
    expect(onClose).toHaveBeenCalledOnce();
    await page.user.click(look().getByRole("link", { name: "Open the run" }));
    expect(page.address()).toBe("/runs/run-7");
  });
});
