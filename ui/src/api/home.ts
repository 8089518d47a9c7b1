/** The home page: all of it in one query. */

import { queryOptions } from "@tanstack/react-query";
import { HomeDocument, type HomeRunFragment } from "./generated";
import { execute } from "./graphql";
import { homeKeys } from "./keys";
import { withRecentRuns } from "./strips";

export type Home = Awaited<ReturnType<typeof load>>;
export type HomeRun = HomeRunFragment;
export type FailedRun = Home["failures"]["items"][number];
export type RunningRun = Home["running"]["items"][number];
export type NextRun = Home["next"]["items"][number];
export type HomeFlow = Home["flows"]["items"][number];
export type HomeAgent = Home["agents"][number];

/** Runs are counted for so long. */
export const HOURS = 24;
const LATE_AFTER = 60_000;
/** What falls silent, or becomes late, sends no event. */
const ASK_EVERY = 30_000;

export const homeQuery = queryOptions({
  queryKey: homeKeys.all,
  queryFn: ({ signal }) => load(signal),
  refetchInterval: ASK_EVERY,
});

async function load(signal: AbortSignal) {
  const home = await execute(HomeDocument, moments(Date.now()), signal);
  const { failures, running, flows } = home;
  return {
    ...home,
    failures: { ...failures, items: failures.items.map((run) => ({ ...run, flow: withRecentRuns(run.flow) })) },
    running: { ...running, items: running.items.map((run) => ({ ...run, flow: withRecentRuns(run.flow) })) },
    flows: { ...flows, items: flows.items.map(withRecentRuns) },
  };
}

function moments(now: number) {
  const at = (milliseconds: number) => new Date(milliseconds).toISOString();
  return { since: at(now - HOURS * 3_600_000), late: at(now - LATE_AFTER), now: at(now) };
}
