import { describe, expect, it } from "vitest";
import { Random } from "../test/random";
import { fieldOf, isComplete, quoted, refusedToken, replaced, tokensOf, valueIn } from "./run-query";

describe("tokens", () => {
  it("are parted by spaces outside of quotation marks", () => {
    expect(tokensOf('  state:failed,late error:"HTTP 503"  calm otter text:"a \\" b" ')).toEqual([
      "state:failed,late",
      'error:"HTTP 503"',
      "calm",
      "otter",
      'text:"a \\" b"',
    ]);
    expect(tokensOf("")).toEqual([]);
  });

  it("have fields and values", () => {
    expect([fieldOf("State:failed"), valueIn("State:failed")]).toEqual(["state", "failed"]);
    expect([fieldOf("param.region:eu"), valueIn("param.region:eu")]).toEqual(["param.region", "eu"]);
    expect([fieldOf('"state:failed"'), fieldOf("otter"), fieldOf("10:30")]).toEqual(["", "", ""]);
  });

  it("are complete with a value and closed quotation marks", () => {
    expect(["state:failed", "otter", 'error:"a b"', 'text:"\\""'].every(isComplete)).toBe(true);
    expect(["state:", 'error:"a', 'text:"\\"'].some(isComplete)).toBe(false);
  });

  it("stay one token, whatever value they have", () => {
    const random = new Random(5);
    for (let round = 0; round < 300; round++) {
      const value = Array.from({ length: 6 }, () => random.pick(["a", " ", '"', "\\", ",", ":", "é"])).join("");
      const token = `flow:${quoted(value)}`;
      expect(tokensOf(`x ${token} y`)).toEqual(["x", token, "y"]);
      expect(isComplete(token)).toBe(true);
    }
  });

  it("are replaced by field", () => {
    expect(replaced("state:failed etl since:7d", ["since", "until"], ["since:1h"])).toBe("state:failed etl since:1h");
  });
});

describe("the token of a refusal", () => {
  it("is the one that the server names, or whose value it quotes", () => {
    const q = "etl stat:x flow:elt,etl";
    expect(refusedToken(q, { message: "There is no filter stat:", details: { token: "stat:x" } })).toBe("stat:x");
    expect(refusedToken(q, { message: "There is no flow 'elt'; did you mean 'etl'?" })).toBe("flow:elt,etl");
    expect(refusedToken(q, { message: "The query is too long." })).toBe("");
  });
});
