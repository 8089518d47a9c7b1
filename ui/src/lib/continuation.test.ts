import { describe, expect, it } from "vitest";
import { againInWords, isSurprising } from "./continuation";

const one = (slug: string, reason = "failed", count = 1, begun = true) => ({ slug, reason, count, begun });

describe("how a run goes on", () => {
  it("names what runs again, with the number of children unless it is all of them", () => {
    const runs = [one("load"), one("fetch", "failed", 2), one("later", "not_run", 1, false)];
    expect(againInWords({ runs, reused: [one("fetch", "stored", 1_200)] })).toBe("load, fetch (2 of 1,202)");
    expect(againInWords({ runs: [one("fetch", "failed", 2)], reused: [] })).toBe("fetch");
  });

  it("names no more than eight", () => {
    const runs = Array.from({ length: 10 }, (_, index) => one(`t${index}`));
    expect(againInWords({ runs, reused: [] })).toMatch(/^t0, .*t7, and 2 more$/);
  });

  it("is surprising if it is refused, or a success runs again that nobody chose", () => {
    expect(isSurprising({ runs: [one("a"), one("b", "chosen"), one("c", "downstream")], refusal: "" })).toBe(false);
    expect(isSurprising({ runs: [one("a", "not_kept")], refusal: "" })).toBe(true);
    expect(isSurprising({ runs: [one("a", "elsewhere")], refusal: "" })).toBe(true);
    expect(isSurprising({ runs: [], refusal: "No." })).toBe(true);
  });
});
