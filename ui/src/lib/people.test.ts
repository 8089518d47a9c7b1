import { describe, expect, it } from "vitest";
import { expiryOf, goesWith, ROLES, SCOPES, wordOf } from "./people";

const NOW = Date.parse("2026-11-22T06:00:00Z");
const DAY = 86_400_000;
const inDays = (days: number) => new Date(NOW + days * DAY).toISOString();

describe("a token's end", () => {
  it.each([
    [null, "never"],
    [inDays(-1), "ended"],
    [inDays(0), "ended"],
    [inDays(0.001), "soon"],
    [inDays(14), "soon"],
    [inDays(14.001), "later"],
  ])("%s is %s", (at, expiry) => {
    expect(expiryOf(at, NOW)).toBe(expiry);
  });
});

describe("what goes with a user", () => {
  it("is the account, when there is nothing else", () => {
    expect(goesWith(0, [])).toEqual(["their account and password"]);
  });

  it("are sessions, and tokens by their names, agents' apart", () => {
    const tokens = [
      { name: "ci", scope: "user" },
      { name: "edge-01", scope: "agent" },
      { name: "export", scope: "user" },
      { name: "edge-02", scope: "agent" },
    ] as const;
    expect(goesWith(1, tokens)).toEqual([
      "their account and password",
      "1 session in browsers",
      "2 tokens: ci, export",
      "2 agents' tokens: edge-01, edge-02",
    ]);
    expect(goesWith(2, [{ name: "edge-01", scope: "agent" }]).slice(1)).toEqual([
      "2 sessions in browsers",
      "1 agent's token: edge-01",
    ]);
  });
});

it("roles and scopes have words, and what is not known here is shown as it is", () => {
  expect(wordOf(ROLES, "admin")).toBe("Admin");
  expect(wordOf(SCOPES, "agent")).toBe("Agent");
  expect(wordOf<string>(SCOPES, "other")).toBe("other");
});
