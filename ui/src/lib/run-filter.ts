/** The view of the runs list and its URL: `/runs?show=failed&q=etl&flow=<id>`. */

export type Show = "all" | "failed" | "running" | "waiting";

export const SHOWS: readonly { id: Show; label: string }[] = [
  { id: "all", label: "All" },
  { id: "failed", label: "Failed" },
  { id: "running", label: "Running" },
  { id: "waiting", label: "Waiting" },
];

export interface RunView {
  show: Show;
  q: string;
  flow: string;
}

export interface RunFilter {
  stateTypes?: string[];
  text?: string;
  flowId?: string;
  includeFuture?: boolean;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Parses the URL. Unknown values fall back to the default, so an old link never breaks the page. */
export function parseRunView(search: Record<string, unknown>): RunView {
  const show = SHOWS.find((one) => one.id === search.show)?.id ?? "all";
  const flow = typeof search.flow === "string" && UUID.test(search.flow) ? search.flow : "";
  return { show, q: typeof search.q === "string" ? search.q.slice(0, 200) : "", flow };
}

/** What a URL asks for that doesn't exist, as a sentence: showing all runs instead would look like an answer. */
export function unknownInUrl(search: Record<string, unknown>): string | null {
  const { show, flow } = search;
  if (show !== undefined && show !== "" && !SHOWS.some((one) => one.id === show))
    return `There is no view “${String(show).slice(0, 40)}”; the views are ${SHOWS.map((one) => one.id).join(", ")}.`;
  if (flow !== undefined && flow !== "" && !(typeof flow === "string" && UUID.test(flow)))
    return `“${String(flow).slice(0, 40)}” is not the id of a flow.`;
  return null;
}

/** Writes the URL: only what differs from the default. */
export function printRunView(view: RunView): Record<string, string> {
  const search: Record<string, string> = {};
  if (view.show !== "all") search.show = view.show;
  if (view.q.trim()) search.q = view.q.trim();
  if (view.flow) search.flow = view.flow;
  return search;
}

const TYPES: Record<Exclude<Show, "all">, string[]> = {
  failed: ["FAILED"],
  running: ["RUNNING", "CANCELLING"],
  waiting: ["SCHEDULED", "PENDING", "PAUSED"],
};

/** The API's filter. Waiting runs include those planned for later, which wait for their time. */
export function toRunFilter(view: RunView): RunFilter {
  const filter: RunFilter = {};
  if (view.show !== "all") filter.stateTypes = TYPES[view.show];
  if (view.show === "waiting") filter.includeFuture = true;
  if (view.q.trim()) filter.text = view.q.trim();
  if (view.flow) filter.flowId = view.flow;
  return filter;
}

export function isUuid(text: string): boolean {
  return UUID.test(text.trim());
}
