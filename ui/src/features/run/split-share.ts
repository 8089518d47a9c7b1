/** The left pane's share of the width in percent, bounded so that neither pane becomes too narrow to read. */

export const SMALLEST_SHARE = 25;
export const MOST_SHARE = 75;
const EQUAL = 50;
const STEP = 2;
const LEAP = 10;

export function bounded(share: number): number {
  return Math.min(MOST_SHARE, Math.max(SMALLEST_SHARE, share));
}

/** The stored share, or equal panes if that is unusable. */
export function keptShare(kept: string | null): number {
  const share = Number(kept);
  return kept && Number.isFinite(share) ? bounded(share) : EQUAL;
}

export function shareAt(x: number, left: number, width: number): number {
  return width > 0 ? bounded(((x - left) / width) * 100) : EQUAL;
}

/** The share after a key; null for keys that don't move the divider. */
export function movedBy(key: string, isLeap: boolean, share: number): number | null {
  const step = isLeap ? LEAP : STEP;
  if (key === "ArrowLeft") return bounded(share - step);
  if (key === "ArrowRight") return bounded(share + step);
  if (key === "Home") return SMALLEST_SHARE;
  if (key === "End") return MOST_SHARE;
  return key === "Enter" ? EQUAL : null;
}
