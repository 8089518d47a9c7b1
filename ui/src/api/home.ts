/** The home page: all of it in one query. */

import { queryOptions } from "@tanstack/react-query";
import { HomeDocument, type HomeQuery, type HomeRunFragment } from "./generated";
import { execute } from "./graphql";
import { homeKeys } from "./keys";

export type Home = HomeQuery;
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
  queryFn: ({ signal }) => execute(HomeDocument, moments(Date.now()), signal),
  refetchInterval: ASK_EVERY,
});

function moments(now: number) {
  const at = (milliseconds: number) => new Date(milliseconds).toISOString();
  return { since: at(now - HOURS * 3_600_000), late: at(now - LATE_AFTER), now: at(now) };
}
