import { expect, test } from "vitest";
import { parseVersion, shortVersion, versionName } from "./versions";

test("a version that restores content says which one", () => {
  expect(versionName({ number: 3, restores: 1 })).toBe("Version 3, restores 1");
  expect(shortVersion({ number: 3, restores: 1 })).toBe("v3, restores v1");
});

test("any other has its number alone", () => {
  expect(versionName({ number: 2, restores: null })).toBe("Version 2");
  expect(shortVersion({ number: 2, restores: null })).toBe("v2");
});

test("reads the number of a version from a URL", () => {
  expect(["3", 12, "0", "-1", "1.5", "x", undefined].map(parseVersion)).toEqual([3, 12, ...Array(5).fill(undefined)]);
});
