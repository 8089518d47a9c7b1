/** Failures that people have marked as known: the list, marking one, and removing the mark. */

import { queryOptions } from "@tanstack/react-query";
import type { Keyed } from "../lib/keys";
import {
  KnownFailuresDocument,
  type KnownFailuresQuery,
  MarkFailureDocument,
  UnmarkFailureDocument,
} from "./generated";
import { execute } from "./graphql";
import { knownFailureKeys } from "./keys";

export type KnownFailure = KnownFailuresQuery["knownFailures"]["items"][number];
const MOST_PAGES = 25;

export const knownFailuresQuery = queryOptions({
  queryKey: knownFailureKeys.list,
  queryFn: async ({ signal }) => {
    const failures: KnownFailure[] = [];
    let after: string | null = null;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const { items, next }: KnownFailuresQuery["knownFailures"] = (
        await execute(KnownFailuresDocument, { after }, signal)
      ).knownFailures;
      failures.push(...items);
      if (next === null) break;
      after = next;
    }
    return failures;
  },
});

/** Marks why a run failed as known; `until` null: until its flow succeeds. */
export async function markFailure(
  input: Keyed<{ flowRunId: string; until: string | null; reason: string }>,
): Promise<void> {
  await execute(MarkFailureDocument, { input });
}

export async function unmarkFailure(input: Keyed<{ knownFailureId: string }>): Promise<void> {
  await execute(UnmarkFailureDocument, { input });
}
