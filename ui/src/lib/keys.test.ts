import { describe, expect, it, vi } from "vitest";
import { newKey } from "./keys";

describe("an idempotency key", () => {
  it("is 32 hexadecimal digits", () => {
    for (let count = 0; count < 200; count += 1) expect(newKey()).toMatch(/^[0-9a-f]{32}$/);
  });

  it("is never the same twice", () => {
    const keys = Array.from({ length: 2_000 }, newKey);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("keeps leading zeros, so that all keys are equally long", () => {
    const random = vi.spyOn(crypto, "getRandomValues").mockImplementation((bytes) => bytes);
    expect(newKey()).toBe("0".repeat(32));
    random.mockRestore();
  });

  it("needs no secure context", () => {
    const original = crypto.randomUUID;
    Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
    expect(newKey()).toHaveLength(32);
    Object.defineProperty(crypto, "randomUUID", { value: original, configurable: true });
  });
});
