/** How long a run may take, as people write and read it. */

import { formatDuration } from "./time";

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };
const LONGEST = 365 * SECONDS.d;

/** `90m`, `12h`, or seconds without a unit. */
export function readTimeout(text: string): { seconds: number } | { error: string } {
  const match = /^(\d{1,8})\s*([smhdw]?)$/.exec(text.trim());
  const seconds = match ? Number(match[1]) * SECONDS[(match[2] || "s") as keyof typeof SECONDS] : 0;
  if (seconds > 0 && seconds <= LONGEST) return { seconds };
  return { error: "Enter a duration such as 90m, 12h, or 2d, at most 365d." };
}

/** The shortest way to write the seconds that `readTimeout` understands. */
export function writeTimeout(seconds: number): string {
  for (const unit of ["d", "h", "m"] as const)
    if (seconds % SECONDS[unit] === 0) return `${seconds / SECONDS[unit]}${unit}`;
  return `${Math.ceil(seconds)}`;
}

const SOURCES: Record<string, string> = {
  operator: "set here",
  code: "from the flow's code",
  site: "the site's default",
};

export function timeoutInWords(seconds: number | null, source: string): string {
  const limit = seconds === null ? "No limit" : formatDuration(seconds * 1_000);
  return `${limit} (${SOURCES[source] ?? source})`;
}
