/** The view of the runs list and its URL: `/runs?q=state:failed+etl&sort=-end_time`. */

import { fieldOf, replaced, tokensOf } from "./run-query";

export const SHOWS = [
  { id: "all", label: "All", token: "" },
  { id: "failed", label: "Failed", token: "state:failed" },
  { id: "running", label: "Running", token: "state:running,cancelling" },
  { id: "waiting", label: "Waiting", token: "state:waiting" },
  { id: "late", label: "Late", token: "state:late" },
] as const;
export type Show = (typeof SHOWS)[number]["id"];

/** Names of orders as in the server's other interfaces, with their names in GraphQL. */
export const SORTS = {
  "-scheduled_time": "SCHEDULED_TIME_DESC",
  scheduled_time: "SCHEDULED_TIME_ASC",
  "-start_time": "START_TIME_DESC",
  start_time: "START_TIME_ASC",
  "-end_time": "END_TIME_DESC",
  end_time: "END_TIME_ASC",
  waiting: "WAITING",
} as const;
export type Sort = keyof typeof SORTS;

export interface RunView {
  q: string;
  sort: Sort;
}

export interface RunFilter {
  q?: string;
  stateTypes?: string[];
  flowId?: string;
  until?: string;
}

const LONGEST = 500;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const STATES = ["state", "is"];
const ONLY_SUB_RUNS = "is:subrun";
const WITHOUT_SUB_RUNS = "parent:none";

/** Parses the URL. An unknown order falls back to the usual one: of runs that wait, those needed soonest; of others, the newest. */
export function parseRunView(search: Record<string, unknown>): RunView {
  const q = typeof search.q === "string" ? search.q.slice(0, LONGEST).trim() : "";
  const isKnown = typeof search.sort === "string" && Object.hasOwn(SORTS, search.sort);
  return { q, sort: isKnown ? (search.sort as Sort) : usualSort(q) };
}

function usualSort(q: string): Sort {
  return showOf(q) === "waiting" ? "waiting" : "-scheduled_time";
}

/** Writes the URL: only what differs from the default. */
export function printRunView(view: RunView): { q?: string; sort?: string } {
  const q = view.q.trim();
  return { ...(q ? { q } : {}), ...(view.sort === usualSort(q) ? {} : { sort: view.sort }) };
}

/** What an address of an earlier release asks for with `show` and `flow`, as a query; null if it has neither, or shows all runs. */
export function formerQuery(search: Record<string, unknown>): string | null {
  const { show, flow } = search;
  if ((!show || show === "all") && !flow) return null;
  const token = SHOWS.find((one) => one.id === show)?.token ?? (show ? `state:${String(show).slice(0, 40)}` : "");
  const q = typeof search.q === "string" ? search.q : "";
  return [token, flow ? `flow:${String(flow).slice(0, 40)}` : "", q].filter(Boolean).join(" ");
}

/** The quick choice that a query is, whatever else it asks for; null if it asks for other states. */
export function showOf(q: string): Show | null {
  const states = tokensOf(q).filter(
    (token) => STATES.includes(fieldOf(token)) && token.toLowerCase() !== ONLY_SUB_RUNS,
  );
  return SHOWS.find(({ token }) => token === states.join(" ").toLowerCase())?.id ?? null;
}

/** The query with another quick choice. */
export function withShow(q: string, show: Show): string {
  const token = SHOWS.find((one) => one.id === show)?.token;
  const only = tokensOf(q).filter((one) => one.toLowerCase() === ONLY_SUB_RUNS);
  return replaced(q, STATES, token ? [token, ...only] : only);
}

/** Whether the query leaves out runs that other runs have started; null if it asks for those of one run. */
export function hidesSubRuns(q: string): boolean | null {
  const tokens = tokensOf(q).filter((token) => fieldOf(token) === "parent" || token.toLowerCase() === ONLY_SUB_RUNS);
  if (tokens.length === 0) return false;
  return tokens.every((token) => token.toLowerCase() === WITHOUT_SUB_RUNS) ? true : null;
}

export function withSubRuns(q: string, shown: boolean): string {
  return replaced(q, ["parent"], shown ? [] : [WITHOUT_SUB_RUNS]);
}

/** The query for runs that are due in a range of time. */
export function withRange(q: string, since: string, until: string): string {
  return replaced(q, ["since", "until"], [`since:${minute(since)}`, `until:${minute(until)}`]);
}

const minute = (time: string) => `${new Date(time).toISOString().slice(0, 16)}Z`;

/** The API's filter. */
export function toRunFilter(view: { q: string }): RunFilter {
  return view.q ? { q: view.q } : {};
}

export function isUuid(text: string): boolean {
  return UUID.test(text.trim());
}
