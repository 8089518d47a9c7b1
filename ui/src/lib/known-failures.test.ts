import { expect, it } from "vitest";
import { expiringSoon, morningsAfter } from "./known-failures";

/** 2026-11-20 was a Friday. */
const day = (date: number, hour = 15) => new Date(2026, 10, date, hour);

it.each([
  ["on a Friday", day(20), [day(21, 8), day(23, 8)]],
  ["on a Monday, before 8, the next week's", day(23, 6), [day(24, 8), day(30, 8)]],
  ["on a Sunday, when both are one", day(22), [day(23, 8)]],
])("offers tomorrow and Monday at 8: %s", (_, now, mornings) => {
  expect(morningsAfter(now).map(({ at }) => at)).toEqual(mornings);
});

it("counts those that are known for at most another day, and no longer those that have expired", () => {
  const now = Date.parse("2026-11-20T12:00:00Z");
  const untils = [null, "2026-11-20T11:59:59Z", "2026-11-21T12:00:00Z", "2026-11-21T12:00:01Z"];
  expect(
    expiringSoon(
      untils.map((until) => ({ until })),
      now,
    ),
  ).toBe(1);
});
