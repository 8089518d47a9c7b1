import { screen, within } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import { type Page, renderPage } from "../../test/render";
import { ColumnsMenu } from "./columns-menu";
import { useTableChoice } from "./use-table-choice";

function Chosen() {
  const choice = useTableChoice(undefined, () => {});
  return (
    <>
      <ColumnsMenu choice={choice} />
      <output>{[...choice.columns, choice.density].join(" ")}</output>
    </>
  );
}

async function open(): Promise<Page> {
  const page = await renderPage(<Chosen />);
  await page.user.click(screen.getByRole("button", { name: "Columns" }));
  return page;
}
const chosen = () => document.querySelector("output")?.textContent;
const menu = () => within(screen.getByRole("menu", { name: "Columns" }));
const column = (name: string) => menu().getByRole("menuitemcheckbox", { name });

beforeEach(() => localStorage.clear());

describe("the menu of columns", () => {
  it("adds and removes columns, stays open, and is remembered", async () => {
    const { user, unmount } = await open();
    expect(chosen()).toBe("state flow run why started duration agent by normal");
    expect(column("Project").getAttribute("aria-checked")).toBe("false");
    await user.click(column("Project"));
    await user.click(column("By"));
    expect(chosen()).toBe("state project flow run why started duration agent normal");
    expect(column("Project").getAttribute("aria-checked")).toBe("true");
    unmount();
    await open();
    expect(chosen()).toBe("state project flow run why started duration agent normal");
  });

  it("never offers to hide what identifies a row", async () => {
    await open();
    expect(menu().queryByRole("menuitemcheckbox", { name: "State" })).toBeNull();
    expect(menu().queryByRole("menuitemcheckbox", { name: "Run" })).toBeNull();
  });

  it("changes how high the rows are", async () => {
    const { user } = await open();
    await user.click(menu().getByRole("menuitemradio", { name: "Compact" }));
    expect(chosen()).toMatch(/ compact$/);
    expect(localStorage.getItem("runs.density")).toBe("compact");
  });
});
