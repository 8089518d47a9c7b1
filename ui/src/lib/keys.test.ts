import { describe, expect, it, vi } from "vitest";
import { keyPerContent, newKey } from "./keys";

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

describe("the key of a form's request", () => {
  it("is the same for the same content, and another one for any other", () => {
    const withKey = keyPerContent();
    const send = (parameters: object) => withKey({ flowId: "flow-1", parameters });
    const [first, again] = [send({ size: 1 }), send({ size: 1 })];
    expect(first).toEqual({ flowId: "flow-1", parameters: { size: 1 }, idempotencyKey: again.idempotencyKey });
    const keys = [first, send({ size: 2 }), send({}), send({ size: "1" })].map((request) => request.idempotencyKey);
    expect(new Set(keys).size).toBe(4);
    expect(send({ size: 1 }).idempotencyKey).toBe(first.idempotencyKey);
  });

  it("is not shared with another form", () => {
    expect(keyPerContent()({}).idempotencyKey).not.toBe(keyPerContent()({}).idempotencyKey);
  });
});
