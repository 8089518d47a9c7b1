/** Times as the browser's date and time fields show them: without an offset, in its time zone. */

const DAY = 86_400_000;
const two = (n: number) => String(n).padStart(2, "0");

/** `2026-11-22T06:30:00Z` as the value of a datetime-local input, or the text itself where that would be another time. */
export function toLocalInput(value: string): string {
  const at = new Date(value);
  const isWhole = /^[^.]*(?:\.0+)?(?:[Zz]|[+-]\d\d:\d\d)$/.test(value);
  if (Number.isNaN(at.getTime()) || !isWhole) return value;
  return instantsOf(wall(at)).length === 1 ? wall(at) : value;
}

/** Whether a text is empty or one that a datetime-local input can show. */
export function isLocal(text: string): boolean {
  return /^(?:\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)?$/.test(text);
}

/** When the clocks in this zone show a time: never where they go forward over it, twice where they go back. */
export function instantsOf(local: string): Date[] {
  const reading = Date.parse(`${local}Z`);
  const offsets = new Set([reading - DAY, reading + DAY].map((at) => new Date(at).getTimezoneOffset()));
  return [...offsets]
    .map((minutes) => new Date(reading + minutes * 60_000))
    .filter((at) => !Number.isNaN(at.getTime()) && wall(at).startsWith(local))
    .sort((one, other) => one.getTime() - other.getTime());
}

/** The time here with its fraction of a second and its offset, such as `2026-10-25T02:30:00.5+01:00`. */
export function withOffset(at: Date, fraction = ""): string {
  const minutes = -at.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${wall(at)}${fraction}${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** The time that the clocks here show, to the second. */
export function wall(at: Date): string {
  const day = `${String(at.getFullYear()).padStart(4, "0")}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
