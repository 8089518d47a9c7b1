import { describe, expect, it } from "vitest";
import { safePath } from "./paths";

describe("the way back after signing in", () => {
  it.each([
    "//elsewhere.example",
    "///elsewhere.example",
    "/\\elsewhere.example",
    "\\\\elsewhere.example",
    "https://elsewhere.example",
    "javascript:alert(1)",
    "elsewhere.example",
    " /runs",
    "",
    undefined,
  ])("%s leads home", (next) => {
    expect(safePath(next)).toBe("/");
  });

  it.each(["/", "/runs", "/runs/x#L10", "/runs?show=failed&q=a%2Fb", "/flows/1/run?from=//x"])(
    "%s is a path of the appliance and stays",
    (next) => {
      expect(safePath(next)).toBe(next);
    },
  );

  it("never leaves this origin, as a browser reads it", () => {
    const origin = "https://appliance.example";
    for (const next of ["//e.example", "/\\e.example", "/\\/e.example", "/ok", "/a//b", "https:/e.example"])
      expect(new URL(safePath(next), origin).origin).toBe(origin);
  });
});
