/** Until when a failure is known. */

const HOUR_OF_MORNING = 8;
const DAY = 86_400_000;

export interface Morning {
  id: "tomorrow" | "monday";
  word: string;
  at: Date;
}

/** The mornings until which a failure may be known, in the browser's zone. On a Sunday they are one. */
export function morningsAfter(now: Date): Morning[] {
  const untilMonday = (8 - now.getDay()) % 7 || 7;
  const monday: Morning = { id: "monday", word: "Monday", at: morning(now, untilMonday) };
  return untilMonday === 1 ? [monday] : [{ id: "tomorrow", word: "tomorrow", at: morning(now, 1) }, monday];
}

function morning(now: Date, days: number): Date {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, HOUR_OF_MORNING);
}

/** How many of them count again within a day. */
export function expiringSoon(failures: readonly { until: string | null }[], now: number): number {
  return failures.filter(({ until }) => {
    const left = until === null ? -1 : Date.parse(until) - now;
    return left > 0 && left <= DAY;
  }).length;
}
