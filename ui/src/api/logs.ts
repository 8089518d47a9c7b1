/** A run's log lines, in pages around any position. */

import { addressOf } from "../lib/base";
import type { LogFilter, LogsQuery } from "./generated";
import { LogsDocument } from "./generated";
import { execute } from "./graphql";

export type { LogFilter };

export const PAGE = 200;

export type LogPage = LogsQuery["logs"];

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
