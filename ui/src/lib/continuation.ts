/** How a run goes on, in words: which tasks run again, and whether a person should look at that first. */

interface Continued {
  slug: string;
  count: number;
  reason: string;
  begun: boolean;
}

interface Found {
  runs: readonly Continued[];
  reused: readonly Continued[];
  refusal: string;
}

const NAMED = 8;
/** Why tasks run again that had succeeded, although nobody asked for it. */
const UNASKED = new Set(["not_kept", "elsewhere"]);

/** Is there something that nobody expects: a refusal, or tasks that succeeded and run again? */
export function isSurprising({ runs, refusal }: Pick<Found, "runs" | "refusal">): boolean {
  return refusal !== "" || runs.some((one) => UNASKED.has(one.reason));
}

/** `load-1, fetch-1 (2 of 6)`: the tasks that have begun before, with the number of children unless it is all of them. */
export function againInWords({ runs, reused }: Pick<Found, "runs" | "reused">): string {
  const again = sums(runs.filter((one) => one.begun));
  const all = sums([...runs, ...reused]);
  const named = [...again].slice(0, NAMED).map(([slug, count]) => {
    const total = all.get(slug) ?? count;
    return count < total ? `${slug} (${count.toLocaleString("en")} of ${total.toLocaleString("en")})` : slug;
  });
  if (again.size > NAMED) named.push(`and ${again.size - NAMED} more`);
  return named.join(", ");
}

function sums(items: readonly Continued[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { slug, count } of items) counts.set(slug, (counts.get(slug) ?? 0) + count);
  return counts;
}
