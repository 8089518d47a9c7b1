/** Times and durations as people read them: 24 hours, always the same width, never "about 3 hours ago" alone. */

/** In seconds. */
const DAY = 86_400;
const formats = new Map<string, Intl.DateTimeFormat>();

function format(key: string, options: Intl.DateTimeFormatOptions, zone?: string): Intl.DateTimeFormat {
  const name = `${key} ${zone ?? ""}`;
  let format = formats.get(name);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone, hourCycle: "h23" });
    formats.set(name, format);
  }
  return format;
}

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
const MINUTES = { hour: "2-digit", minute: "2-digit" } as const;
const DATE = { year: "numeric", month: "2-digit", day: "2-digit" } as const;

export function localZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** `06:30:02` */
export function formatClock(at: Date, zone?: string): string {
  return format("clock", CLOCK, zone).format(at);
}

/** `06:30:02.412`, for log lines. */
export function formatPreciseClock(at: Date, zone?: string): string {
  return `${formatClock(at, zone)}.${String(at.getUTCMilliseconds()).padStart(3, "0")}`;
}

/** `2026-11-22` */
export function formatDay(at: Date, zone?: string): string {
  const parts = Object.fromEntries(
    format("date", DATE, zone)
      .formatToParts(at)
      .map((part) => [part.type, part.value]),
  );
  return `${parts.year}-${parts.month}-${parts.day}`;
}

/** `Sunday 22 November` */
export function formatDate(at: Date, zone?: string): string {
  return format("long date", { weekday: "long", day: "numeric", month: "long" }, zone).format(at).replace(",", "");
}

/** Today `06:30:02`; this year `Sat 21 Nov 06:30`; else `2025-11-21 06:30`. */
export function formatInstant(at: Date, now: Date, zone?: string): string {
  const day = formatDay(at, zone);
  if (day === formatDay(now, zone)) return formatClock(at, zone);
  const time = format("minutes", MINUTES, zone).format(at);
  if (day.slice(0, 4) !== formatDay(now, zone).slice(0, 4)) return `${day} ${time}`;
  return `${format("weekday", { weekday: "short" }, zone).format(at)} ${format("day", { day: "numeric", month: "short" }, zone).format(at)} ${time}`;
}

/** `2026-11-22 06:30:02 UTC`, for tooltips. */
export function formatFull(at: Date, zone?: string): string {
  return `${formatDay(at, zone)} ${formatClock(at, zone)} ${zone ?? localZone()}`;
}

/** `in 3 min 56 s`, `12 s ago`, `now` */
export function formatRelative(at: Date, now: Date): string {
  const distance = at.getTime() - now.getTime();
  if (Math.abs(distance) < 1_000) return "now";
  const text = formatDuration(
    Math.abs(distance) < 60_000 ? Math.round(Math.abs(distance) / 1000) * 1000 : Math.abs(distance),
  );
  return distance > 0 ? `in ${text}` : `${text} ago`;
}

/** `850 ms`, `4.2 s`, `38 s`, `4 min 10 s`, `2 h 03 min`, `3 d 04 h` */
export function formatDuration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1).replace(/\.0$/, "")} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return pair(Math.floor(seconds / 60), "min", seconds % 60, "s");
  if (seconds < DAY) return pair(Math.floor(seconds / 3600), "h", Math.floor((seconds % 3600) / 60), "min");
  return pair(Math.floor(seconds / DAY), "d", Math.floor((seconds % DAY) / 3600), "h");
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  if (small === 0) return `${large} ${largeUnit}`;
  const width = smallUnit === "s" ? 1 : 2;
  return `${large} ${largeUnit} ${String(small).padStart(width, "0")} ${smallUnit}`;
}

/** Between two instants; an unfinished span lasts until now. */
export function elapsed(start: string | null, end: string | null, now: number): number | null {
  if (!start) return null;
  return Math.max(0, (end ? Date.parse(end) : now) - Date.parse(start));
}
