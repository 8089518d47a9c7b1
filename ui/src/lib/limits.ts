/** Limits as words and blocks. */

import { counted } from "./counted";

export const LIMIT_KINDS = [
  { id: "flow", word: "Flow", help: "Runs of one flow. Enter it as project/flow." },
  { id: "label", word: "Label", help: "Runs that need an agent with this label." },
  { id: "task_tag", word: "Task tag", help: "Tasks with this tag, in any run." },
  { id: "task_rate", word: "Task rate", help: "How often tasks with this tag start, in any run." },
] as const;
export type LimitKind = (typeof LIMIT_KINDS)[number]["id"];

export function kindWord(kind: LimitKind): string {
  return LIMIT_KINDS.find((one) => one.id === kind)?.word ?? kind;
}

export const MOST_SLOTS = 100_000;

/** Parses a number of slots: the number, or an error message. */
export function readSlots(text: string): { slots: number } | { error: string } {
  const trimmed = text.trim();
  if (!/^\d{1,9}$/.test(trimmed)) return { error: "Enter a whole number, 0 or more." };
  const slots = Number(trimmed);
  return slots > MOST_SLOTS ? { error: `Enter ${MOST_SLOTS.toLocaleString("en")} or less.` } : { slots };
}

export const PERIODS = [
  { value: "1", text: "second" },
  { value: "60", text: "minute" },
  { value: "3600", text: "hour" },
  { value: "86400", text: "day" },
];

/** "in any minute", "in any 90 s". */
export function periodInWords(per: number): string {
  return `in any ${PERIODS.find(({ value }) => Number(value) === per)?.text ?? `${per.toLocaleString("en")} s`}`;
}

/** What a limit allows: "at most 4 at once", "at most 60 starts in any minute", "paused". */
export function limitInWords({ slots, per }: { slots: number; per: number | null }): string {
  if (slots === 0) return "paused";
  return per === null ? `at most ${slots} at once` : `at most ${counted(slots, "start")} ${periodInWords(per)}`;
}

/** How full it is, in words. Zero slots are a pause; more in use than slots remains from an earlier, higher number. */
export function usageInWords({
  slots,
  used,
  per = null,
}: {
  slots: number;
  used: number;
  per?: number | null;
}): string {
  if (per !== null && slots > 0) return `${counted(used, "start")} ${periodInWords(per).replace("any", "the last")}`;
  if (slots === 0) return used === 0 ? "paused: nothing starts" : `paused: nothing new starts, ${used} still in use`;
  const words = `${used.toLocaleString("en")} of ${slots.toLocaleString("en")} in use`;
  return used > slots ? `${words}; nothing starts until usage drops below the limit` : words;
}

const MOST_BLOCKS = 24;

/** One block per slot while they can be counted by eye, else null for a bar. Above the limit, the surplus is marked. */
export function blocksOf({ slots, used }: { slots: number; used: number }): ("used" | "free" | "over")[] | null {
  const count = Math.max(slots, used);
  if (count === 0 || count > MOST_BLOCKS) return null;
  return Array.from({ length: count }, (_, index) => (index >= slots ? "over" : index < used ? "used" : "free"));
}
