import { describe, expect, it } from "vitest";
import { readTimeout, timeoutInWords, writeTimeout } from "./run-timeout";

describe("a timeout", () => {
  it.each([
    ["30", 30],
    ["30s", 30],
    ["90m", 5_400],
    [" 12 h ", 43_200],
    ["2d", 172_800],
    ["365d", 31_536_000],
  ])("is read from %s", (text, seconds) => expect(readTimeout(text)).toEqual({ seconds }));

  it.each(["", "0", "-1", "soon", "1.5h", "366d", "5y"])("is not read from %j", (text) =>
    expect(readTimeout(text)).toHaveProperty("error"),
  );

  it.each([1, 59, 60, 5_400, 43_200, 172_800, 604_801])("of %i s is read as it was written", (seconds) =>
    expect(readTimeout(writeTimeout(seconds))).toEqual({ seconds }),
  );

  it("says who decided it", () => {
    expect(timeoutInWords(7_200, "code")).toBe("2 h (from the flow's code)");
    expect(timeoutInWords(null, "site")).toBe("No limit (the site's default)");
  });
});
