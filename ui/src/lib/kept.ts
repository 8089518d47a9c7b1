/** What the appliance keeps, in words. */

import { sizeInWords } from "./banners";
import { counted } from "./counted";

/** Small sizes are exact: many results have a few bytes. */
export function bytesInWords(bytes: number): string {
  return bytes < 1024 ? counted(bytes, "byte") : sizeInWords(bytes);
}

interface Total {
  count: number;
  bytes: number;
}

/** How many there are, what they take, and the most that is taken, of which 0 is no limit. */
export function totalInWords({ count, bytes }: Total, noun: string, limits: readonly (readonly [number, string])[]) {
  const most = limits.filter(([limit]) => limit > 0).map(([limit, of]) => `${sizeInWords(limit)} ${of}`);
  const bounds = most.length > 0 ? ` At most ${most.join(", ")}.` : "";
  return `${counted(count, noun)}, ${bytesInWords(bytes)}.${bounds}`;
}
