/** Limits in words and blocks. */

export const LIMIT_KINDS = [
  { id: "flow", word: "Flow", help: "Runs of one flow. Write it as project/flow." },
  { id: "label", word: "Label", help: "Runs that ask for an agent with this label." },
  { id: "task_tag", word: "Task tag", help: "Tasks that bear this tag, in whatever run." },
] as const;
export type LimitKind = (typeof LIMIT_KINDS)[number]["id"];

export function kindWord(kind: LimitKind): string {
  return LIMIT_KINDS.find((one) => one.id === kind)?.word ?? kind;
}

export const MOST_SLOTS = 100_000;

/** The number of slots that a text stands for, or a sentence why it stands for none. */
export function readSlots(text: string): { slots: number } | { error: string } {
  const trimmed = text.trim();
  if (!/^\d{1,9}$/.test(trimmed)) return { error: "Enter a whole number, 0 or more." };
  const slots = Number(trimmed);
  return slots > MOST_SLOTS ? { error: `Enter ${MOST_SLOTS.toLocaleString("en")} or less.` } : { slots };
}

/** How full it is, in words. Zero slots are a pause, and more in use than slots is what is left of an earlier number. */
export function usageInWords({ slots, used }: { slots: number; used: number }): string {
  if (slots === 0) return used === 0 ? "paused: nothing starts" : `paused: nothing new starts, ${used} still in use`;
  const words = `${used.toLocaleString("en")} of ${slots.toLocaleString("en")} in use`;
  return used > slots ? `${words}; no more start until it is below` : words;
}

const MOST_BLOCKS = 24;

/** One block for each slot, as far as they can be counted by eye; null: draw a bar. Over the limit, the surplus is marked. */
export function blocksOf({ slots, used }: { slots: number; used: number }): ("used" | "free" | "over")[] | null {
  const count = Math.max(slots, used);
  if (count === 0 || count > MOST_BLOCKS) return null;
  return Array.from({ length: count }, (_, index) => (index >= slots ? "over" : index < used ? "used" : "free"));
}
