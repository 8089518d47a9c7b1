/** The life cycle of flows and projects: listed, renamed, paused, archived and deleted; and what differs between two versions. */

import { queryOptions } from "@tanstack/react-query";
import {
  DeleteFlowDocument,
  DeleteProjectDocument,
  type DeletionFragment,
  EditFlowDocument,
  EditProjectDocument,
  FlowDeletionDocument,
  ProjectDeletionDocument,
  ProjectsDocument,
  type ProjectsQuery,
  RollBackFlowDocument,
  type RollBackFlowInput,
  RollbackPreviewDocument,
  VersionComparisonDocument,
  type VersionComparisonQuery,
} from "./generated";
import { execute } from "./graphql";
import type { JobProgress } from "./jobs";
import { lifeCycleKeys, projectKeys } from "./keys";

export interface Target {
  noun: "flow" | "project";
  id: string;
  name: string;
}

/** How much would be deleted. Numbers end at 100,000. */
export type Deletion = DeletionFragment;
export type PartComparison = VersionComparisonQuery["versionComparison"]["parts"][number];

export type Project = ProjectsQuery["projects"][number];

/** The projects in use, or those in the archive, by name. */
export function projectsQuery(archived: boolean) {
  return queryOptions({
    queryKey: projectKeys.list(archived),
    queryFn: async ({ signal }) => (await execute(ProjectsDocument, { archived }, signal)).projects,
  });
}

export interface Edit {
  name?: string;
  paused?: boolean;
  archived?: boolean;
  reason?: string;
  idempotencyKey: string;
}

export async function edit({ noun, id }: Target, fields: Edit): Promise<void> {
  if (noun === "project") await execute(EditProjectDocument, { input: { projectId: id, ...fields } });
  else await execute(EditFlowDocument, { input: { flowId: id, ...fields } });
}

export function deletionQuery({ noun, id }: Target) {
  return queryOptions({
    queryKey: lifeCycleKeys.deletion(id),
    queryFn: async ({ signal }): Promise<Deletion> =>
      noun === "flow"
        ? (await execute(FlowDeletionDocument, { id }, signal)).flowDeletion
        : (await execute(ProjectDeletionDocument, { id }, signal)).projectDeletion,
    staleTime: 0,
    gcTime: 0,
  });
}

/** What is small is gone when this returns; otherwise the job continues. */
export async function remove(
  { noun, id }: Target,
  request: { cancelRuns: boolean; reason: string; idempotencyKey: string },
): Promise<JobProgress> {
  return noun === "flow"
    ? (await execute(DeleteFlowDocument, { input: { flowId: id, ...request } })).deleteFlow.job
    : (await execute(DeleteProjectDocument, { input: { projectId: id, ...request } })).deleteProject.job;
}

/** What rolling back to a version would do, as things are; `newest` is the version that is shown as the newest. */
export function rollbackQuery(flowId: string, newest: number, to: number) {
  return queryOptions({
    queryKey: lifeCycleKeys.rollback(flowId, newest, to),
    queryFn: async ({ signal }) => (await execute(RollbackPreviewDocument, { flowId, to }, signal)).rollbackPreview,
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
}

/** Refused if there is a newer version than `newest` by now. */
export async function rollBack(input: RollBackFlowInput) {
  return (await execute(RollBackFlowDocument, { input })).rollBackFlow.rollback;
}

/** Versions never change, so what differs between two of them doesn't either. */
export function comparisonQuery(flowId: string, before: number, after: number) {
  return queryOptions({
    queryKey: lifeCycleKeys.comparison(flowId, before, after),
    queryFn: async ({ signal }) =>
      (await execute(VersionComparisonDocument, { flowId, before, after }, signal)).versionComparison.parts,
    staleTime: Number.POSITIVE_INFINITY,
  });
}
