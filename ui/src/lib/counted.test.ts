import { expect, it } from "vitest";
import { counted } from "./counted";

it("has a plural for every number but one", () => {
  expect([0, 1, 2, 1234].map((count) => counted(count, "log line"))).toEqual([
    "0 log lines",
    "1 log line",
    "2 log lines",
    "1,234 log lines",
  ]);
});
