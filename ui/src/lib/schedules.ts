/** Words for a schedule's policies and backfills. */

export const CATCH_UP = [
  { value: "latest", text: "only the latest gets a run" },
  { value: "all", text: "each gets a run" },
  { value: "none", text: "none of them gets a run" },
] as const;
export type CatchUp = (typeof CATCH_UP)[number]["value"];

export const OVERLAP = [
  { value: "allow", text: "both run" },
  { value: "queue", text: "the newer one waits for the older" },
  { value: "skip", text: "the newer one is skipped" },
  { value: "cancel", text: "the older one is stopped" },
] as const;
export type Overlap = (typeof OVERLAP)[number]["value"];

export interface Policy {
  catchUp: CatchUp;
  catchUpCap: number;
  catchUpWindow: number | null;
  overlap: Overlap;
}

const MISSED: Record<CatchUp, (cap: number) => string> = {
  latest: () => "Catches up on the latest missed time",
  all: (cap) => `Catches up on at most ${cap.toLocaleString("en")} missed times`,
  none: () => "Skips missed times",
};

const OVERLAPPING: Record<Overlap, string> = {
  allow: "runs may overlap",
  queue: "runs wait for each other",
  skip: "a run is skipped while another is active",
  cancel: "a new run stops the older one",
};

/** `Catches up on the latest missed time, within 2 h; runs may overlap` */
export function policyInWords({ catchUp, catchUpCap, catchUpWindow, overlap }: Policy): string {
  const window = catchUpWindow !== null && catchUp !== "none" ? `, within ${hours(catchUpWindow)}` : "";
  return `${MISSED[catchUp]?.(catchUpCap) ?? catchUp}${window}; ${OVERLAPPING[overlap] ?? overlap}`;
}

function hours(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}

/** Minutes as a text, for a field: empty without a window. */
export function windowText(seconds: number | null): string {
  return seconds === null ? "" : String(seconds / 60);
}

/** Parses minutes as a window in seconds: 0 for none, null if they are invalid. */
export function readWindow(text: string): number | null {
  const trimmed = text.trim();
  if (trimmed === "") return 0;
  const minutes = Number(trimmed);
  return Number.isFinite(minutes) && minutes > 0 ? minutes * 60 : null;
}

/** A whole number from 1 to `most`, or null. */
export function readCount(text: string, most: number): number | null {
  const count = /^\d{1,9}$/.test(text.trim()) ? Number(text) : 0;
  return count >= 1 && count <= most ? count : null;
}

export interface Preview {
  count: number;
  existing: number;
  first: string | null;
  last: string | null;
}

export function previewInWords({ count, existing }: Preview): string {
  if (count === 0) return "No due times in this range.";
  const number = (n: number) => n.toLocaleString("en");
  const times = `${number(count)} due time${count === 1 ? "" : "s"}`;
  if (existing === 0) return `${times}, none has a run yet: ${number(count)} to create.`;
  if (existing >= count) return `${times}, all have runs already: nothing to create.`;
  return `${times}, ${number(existing)} ${existing === 1 ? "has a run" : "have runs"} already: ${number(count - existing)} to create.`;
}
