/** What runs have made for people to look at. */

import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { addressOf } from "../lib/base";
import { RunArtifactsDocument, type RunArtifactsQuery } from "./generated";
import { execute } from "./graphql";
import { request, requestText } from "./http";
import { artifactKeys } from "./keys";

/** `updated` changes with its content; the size is in bytes. */
export type Artifact = RunArtifactsQuery["artifacts"]["items"][number];
export type Cell = string | number | boolean | null;
export interface Table {
  columns: string[];
  rows: Cell[][];
}

const REFRESHED = 5_000;

/** Newest first. While the run is live, they are read again every few seconds. */
export function runArtifactsQuery(flowRunId: string, isLive: boolean) {
  return infiniteQueryOptions({
    queryKey: artifactKeys.ofRun(flowRunId),
    queryFn: async ({ pageParam, signal }) =>
      (await execute(RunArtifactsDocument, { flowRunId, after: pageParam }, signal)).artifacts,
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: isLive ? REFRESHED : false,
  });
}

const pathOf = (id: string) => `/api/v1/artifacts/${id}`;

/** Where its bytes are, for downloads and pictures. */
export const contentAddress = ({ id }: Artifact) => addressOf(`${pathOf(id)}/content`);

/** Where a page is, which runs no scripts. */
export const pageAddress = ({ id }: Artifact) => addressOf(`${pathOf(id)}/page`);

export function tableQuery({ id, updated }: Artifact) {
  return queryOptions({
    queryKey: artifactKeys.content(id, updated),
    queryFn: ({ signal }) => request<Table>("GET", `${pathOf(id)}/content`, undefined, signal),
  });
}

export function textQuery({ id, updated }: Artifact) {
  return queryOptions({
    queryKey: artifactKeys.content(id, updated),
    queryFn: ({ signal }) => requestText(`${pathOf(id)}/content`, signal),
  });
}
