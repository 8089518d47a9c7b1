import { expect, it } from "vitest";
import { MOST_RECENT, readRecent, readSearch, withRecent, wordsOf } from "./palette";

const ID = "019aa111-0000-7000-8000-000000000001";

it.each([
  ["etl orders", { scope: "all", words: "etl orders", id: "", names: "etl orders" }],
  ["run  etl", { scope: "all", words: "run  etl", id: "", names: "etl" }],
  ["run", { scope: "all", words: "run", id: "", names: "run" }],
  [" >stop", { scope: "commands", words: "stop", id: "", names: "stop" }],
  ["@al", { scope: "people", words: "al", id: "", names: "al" }],
  ["? retry", { scope: "docs", words: "retry", id: "", names: "retry" }],
  [`#${ID}`, { scope: "ids", words: ID, id: ID, names: ID }],
  [`https://box/runs/${ID.toUpperCase()}?pane=logs`, { scope: "all", id: ID }],
  ["", { scope: "all", words: "", id: "", names: "" }],
])("%j", (text, expected) => {
  expect(readSearch(text)).toMatchObject(expected);
});

it("an object that is opened again moves to the front, and the list stays short", () => {
  let list = readRecent([]);
  for (let number = 0; number < 12; number += 1)
    list = withRecent(list, { path: `/runs/${number}`, label: `${number}` });
  list = withRecent(list, { path: "/runs/5", label: "five" });
  expect(list).toHaveLength(MOST_RECENT);
  expect(list.map(({ label }) => label).slice(0, 3)).toEqual(["five", "11", "10"]);
  expect(list.filter(({ path }) => path === "/runs/5")).toHaveLength(1);
});

it.each([[null], ["x"], [{ path: "/runs/1" }], [[{ path: "//evil.example", label: "x" }, { path: "/runs/1" }, null]]])(
  "%j in the browser's store is ignored",
  (stored) => {
    expect(readRecent(stored)).toEqual([]);
  },
);

it.each([
  [`/flow-run/${ID.toUpperCase()}`, ID],
  ["/flows/nightly%20load/", "nightly load"],
  ["/100%", "100%"],
  ["/", ""],
])("names what %s was meant to lead to", (path, words) => {
  expect(wordsOf(path)).toBe(words);
});
