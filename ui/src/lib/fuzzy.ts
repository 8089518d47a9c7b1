/** How well words that somebody typed fit a label, as in a command palette. */

const WHOLE = 100;
const START = 60;
const WORD = 40;
const INSIDE = 20;
const SCATTERED = 5;

/** Higher is better; null if one of the words doesn't fit. Every label fits no words. */
export function fitOf(words: string, label: string): number | null {
  const name = label.toLowerCase();
  let sum = 0;
  for (const word of words.toLowerCase().split(/\s+/).filter(Boolean)) {
    const score = fitOfWord(word, name);
    if (score === null) return null;
    sum += score;
  }
  return sum - name.length / 1_000;
}

/** Those that fit, the best first; equal ones keep their order. */
export function ranked<T>(items: readonly T[], words: string, labelOf: (item: T) => string): T[] {
  if (words.trim() === "") return [...items];
  return items
    .flatMap((item) => {
      const score = fitOf(words, labelOf(item));
      return score === null ? [] : [{ item, score }];
    })
    .sort((one, other) => other.score - one.score)
    .map(({ item }) => item);
}

function fitOfWord(word: string, name: string): number | null {
  if (word === name) return WHOLE;
  const at = name.indexOf(word);
  if (at === 0) return START;
  if (at > 0) return startsWord(name, name.lastIndexOf(word)) || startsWord(name, at) ? WORD : INSIDE;
  return isScattered(word, name) ? SCATTERED : null;
}

function startsWord(name: string, at: number): boolean {
  return at === 0 || !/[\p{L}\p{N}]/u.test(name[at - 1] ?? "");
}

/** Whether the letters are there in this order, each at the start of a word or beside the one before: `gtr` and `gora` for "go to runs". */
function isScattered(word: string, name: string): boolean {
  const places = (from: number, letter: string) =>
    [...name].flatMap((found, at) =>
      found === letter && at >= from && (at === from || startsWord(name, at)) ? [at] : [],
    );
  let ends = [...name].flatMap((letter, at) => (letter === word[0] && startsWord(name, at) ? [at + 1] : []));
  for (const letter of word.slice(1))
    ends = [...new Set(ends.flatMap((from) => places(from, letter).map((at) => at + 1)))];
  return ends.length > 0;
}
