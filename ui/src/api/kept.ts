/** What the appliance keeps for runs: bundles of code and results. Their content never comes here. */

import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import type { Keyed } from "../lib/keys";
import {
  BundlesDocument,
  type BundlesQuery,
  DeleteKeptResultDocument,
  KeptResultsDocument,
  type KeptResultsQuery,
  KeptTotalsDocument,
  type KeptTotalsQuery,
} from "./generated";
import { execute } from "./graphql";
import { keptKeys } from "./keys";

export type Bundle = BundlesQuery["bundles"]["items"][number];
export type KeptResult = KeptResultsQuery["keptResults"]["items"][number];
/** Sizes are in bytes; a limit of 0 is none. */
export type KeptTotals = KeptTotalsQuery["keptTotals"];

export const keptTotalsQuery = queryOptions({
  queryKey: keptKeys.totals,
  queryFn: async ({ signal }) => (await execute(KeptTotalsDocument, {}, signal)).keptTotals,
});

export const bundlesQuery = infiniteQueryOptions({
  queryKey: keptKeys.bundles,
  queryFn: async ({ pageParam, signal }) => (await execute(BundlesDocument, { after: pageParam }, signal)).bundles,
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next,
});

/** `prefix`: the beginning of the location, within one project. */
export function keptResultsQuery(project: string, prefix: string) {
  const filter = project ? { project, prefix: prefix || null } : { project: null, prefix: null };
  return infiniteQueryOptions({
    queryKey: keptKeys.results(filter),
    queryFn: async ({ pageParam, signal }) =>
      (await execute(KeptResultsDocument, { ...filter, after: pageParam }, signal)).keptResults,
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
}

export async function deleteKeptResult(input: Keyed<{ resultId: string }>): Promise<void> {
  await execute(DeleteKeptResultDocument, { input });
}
