import { describe, expect, it } from "vitest";
import { bytesInWords, totalInWords } from "./kept";

describe("what is kept", () => {
  it("is exact where it is small", () => {
    expect([1, 1023, 1024, 3 * 2 ** 20].map(bytesInWords)).toEqual(["1 byte", "1,023 bytes", "1 KB", "3.0 MB"]);
  });

  it("has its limits named, of which 0 is none", () => {
    const total = { count: 2, bytes: 2048 };
    expect(
      totalInWords(total, "result", [
        [8 * 2 ** 20, "each"],
        [0, "per run"],
        [2 ** 30, "per project"],
      ]),
    ).toBe("2 results, 2 KB. At most 8.0 MB each, 1.0 GB per project.");
    expect(totalInWords({ count: 1, bytes: 0 }, "bundle", [[0, "each"]])).toBe("1 bundle, 0 bytes.");
  });
});
