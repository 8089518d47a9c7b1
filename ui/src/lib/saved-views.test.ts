import { expect, it } from "vitest";
import { USUAL } from "./run-columns";
import { contentOf, isPlain, namedView, type SavedView, searchOf, shownView } from "./saved-views";

const view = (more: Partial<SavedView> = {}): SavedView => ({
  id: "view-1",
  name: "Late now",
  q: "state:late",
  sort: null,
  columns: [],
  default: false,
  ...more,
});

it("has an address that shows it, with what differs from the usual", () => {
  expect(searchOf(view())).toEqual({ q: "state:late" });
  expect(searchOf(view({ sort: "SCHEDULED_TIME_DESC", columns: ["state", "run"] }))).toEqual({
    q: "state:late",
    columns: "state,run",
  });
  expect(searchOf(view({ q: "", sort: "END_TIME_ASC" }))).toEqual({ show: "all", sort: "end_time" });
  expect(isPlain({}) && !isPlain(searchOf(view({ q: "" })))).toBe(true);
});

it("is found by its address and by its name", () => {
  const views = [view(), view({ id: "view-2", name: "All", q: "", columns: ["state"] })];
  expect(shownView(views, { q: "state:late" })?.id).toBe("view-1");
  expect(shownView(views, { q: "state:late", sort: "end_time" })).toBeUndefined();
  expect(shownView(views, { columns: "state" })?.id).toBe("view-2");
  expect(namedView(views, "  LATE   now ")?.id).toBe("view-1");
});

it("is saved with the order in its own name", () => {
  const content = contentOf("x", { q: "state:late", sort: "-end_time" }, ["run"], null);
  expect(content).toEqual({ name: "x", q: "state:late", sort: "END_TIME_DESC", columns: ["run"], default: null });
  expect(contentOf("x", { q: "", sort: "waiting" }, USUAL, true).columns).toEqual([]);
});
