import { describe, expect, it } from "vitest";
import { nameError, valueError } from "./secrets";

describe("the name of a secret", () => {
  it.each(["TOKEN", "db-password", "_x", "a1", "x".repeat(100)])("may be %s", (name) => {
    expect(nameError(name)).toBe("");
  });

  it.each(["", "1a", "a b", "ä", "a/b", "x".repeat(101)])("may not be %s", (name) => {
    expect(nameError(name)).not.toBe("");
  });
});

describe("the value of a secret", () => {
  it("is measured in bytes", () => {
    expect(valueError("x".repeat(65_536))).toBe("");
    expect(valueError("ä".repeat(32_768))).toBe("");
    expect(valueError(`${"ä".repeat(32_768)}x`)).toMatch(/too long/);
    expect(valueError("")).toBe("Enter a value.");
  });
});
