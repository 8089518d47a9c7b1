/** Log lines of a run, in pages around any place. */

import type { LogRecord } from "../lib/log-model";
import { ask, document } from "./graphql";

export interface LogFilter {
  minLevel?: number;
  taskSlug?: string;
  mapIndex?: number;
  text?: string;
}

interface WireLog extends Omit<LogRecord, "id"> {
  id: string | number;
}

interface LogVariables {
  id: string;
  filter: LogFilter;
  first: number;
  after?: string | null;
  before?: string | null;
}

const LOGS = document<{ logs: { items: WireLog[]; next: string | null; previous: string | null } }, LogVariables>(`
  query Logs($id: UUID!, $filter: LogFilter, $first: Int, $after: String, $before: String) {
    logs(flowRunId: $id, filter: $filter, first: $first, after: $after, before: $before) {
      items { id at level logger message taskSlug mapIndex } next previous
    }
  }`);

export const PAGE = 200;

export interface LogPage {
  items: LogRecord[];
  next: string | null;
  previous: string | null;
}

export async function logsPage(
  flowRunId: string,
  filter: LogFilter,
  place: { after?: string | null; before?: string | null },
  first = PAGE,
  signal?: AbortSignal,
): Promise<LogPage> {
  const { logs } = await ask(LOGS, { id: flowRunId, filter, first, ...place }, signal);
  return { ...logs, items: logs.items.map((log) => ({ ...log, id: Number(log.id) })) };
}

export function downloadPath(flowRunId: string): string {
  return `/api/v1/flow-runs/${flowRunId}/logs/download`;
}
