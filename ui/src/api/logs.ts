/** A run's log lines, in pages around any position, and the search in the lines of all runs. */

import { infiniteQueryOptions } from "@tanstack/react-query";
import { addressOf } from "../lib/base";
import { hasWord, type LogSearchView, toLogFilter } from "../lib/log-search";
import type { LogFilter, LogSearchQuery, LogsQuery } from "./generated";
import { LogSearchDocument, LogsDocument } from "./generated";
import { execute } from "./graphql";
import { logKeys } from "./keys";

export type { LogFilter };

export const PAGE = 200;
const FOUND = 100;
/** How often a search goes on to older lines while it finds none. */
const TURNS = 5;

export type LogPage = LogsQuery["logs"];

export type FoundLine = LogSearchQuery["logSearch"]["items"][number];

export async function logsPage(
  flowRunId: string,
  filter: LogFilter,
  place: { after?: string | null; before?: string | null },
  first = PAGE,
  signal?: AbortSignal,
): Promise<LogPage> {
  return (await execute(LogsDocument, { id: flowRunId, filter, first, ...place }, signal)).logs;
}

export function downloadPath(flowRunId: string): string {
  return addressOf(`/api/v1/flow-runs/${flowRunId}/logs/download`);
}

export function logSearchQuery(view: LogSearchView) {
  return infiniteQueryOptions({
    queryKey: logKeys.search(view),
    queryFn: async ({ pageParam, signal }) => {
      const asked = { text: view.q, filter: toLogFilter(view), first: FOUND };
      let after = pageParam;
      for (let turn = 1; ; turn += 1) {
        const page = (await execute(LogSearchDocument, { ...asked, after }, signal)).logSearch;
        if (page.items.length > 0 || page.next === null || turn === TURNS) return page;
        after = page.next;
      }
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    enabled: hasWord(view.q),
  });
}
