/** Due times on the clock of their schedule's zone, as the server gives them: `2026-03-29T03:00:00+02:00`. */

const DAY = new Intl.DateTimeFormat("en-GB", {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  timeZone: "UTC",
});

/** `Sun, 29 Mar 2026 03:00`; with seconds if it has any. */
export function clockTime(local: string): string {
  const [day = "", rest = ""] = local.split("T");
  const time = rest.slice(0, 8).replace(/:00$/, "");
  return `${DAY.format(new Date(`${day}T00:00:00Z`))} ${time}`;
}

/** `+02:00`, or `UTC`. */
export function offsetOf(local: string): string {
  const offset = local.match(/[+-]\d\d:\d\d$/)?.[0];
  return offset === undefined || offset === "+00:00" ? "UTC" : offset;
}
