/** The keys of all queries, one family per noun. The first part names the noun, the second the object. */

export const homeKeys = { all: ["home"] as const };

export const flowRunKeys = {
  lists: ["runs"] as const,
  list: (filter: object) => [...flowRunKeys.lists, filter] as const,
  all: ["run"] as const,
  one: (id: string) => [...flowRunKeys.all, id] as const,
  allCounts: ["counts"] as const,
  counts: (filters: object) => [...flowRunKeys.allCounts, filters] as const,
  overview: (filter: object) => [...flowRunKeys.allCounts, "overview", filter] as const,
  suggestions: (field: string, text: string, filter: object) => ["run-suggestions", field, text, filter] as const,
  continuation: (id: string, request: object) => [...flowRunKeys.one(id), "continuation", request] as const,
};

export const taskRunKeys = {
  all: ["task-runs"] as const,
  ofRun: (flowRunId: string) => [...taskRunKeys.all, flowRunId] as const,
  groups: (flowRunId: string) => [...taskRunKeys.ofRun(flowRunId), "groups"] as const,
  some: (flowRunId: string, view: object) => [...taskRunKeys.ofRun(flowRunId), view] as const,
};

/** Events do not refresh the history and the tasks, which look at many runs. */
export const flowKeys = {
  lists: ["flows"] as const,
  list: (name: string, archived = false) => [...flowKeys.lists, name, archived] as const,
  all: ["flow"] as const,
  one: (id: string) => [...flowKeys.all, id] as const,
  history: (id: string) => ["flow-history", id] as const,
  tasks: (id: string) => ["flow-tasks", id] as const,
};

export const projectKeys = {
  lists: ["projects"] as const,
  list: (archived: boolean) => [...projectKeys.lists, archived] as const,
};

/** Of a flow or a project: what deleting it would delete; of a flow's versions: what differs. */
export const lifeCycleKeys = {
  deletion: (id: string) => ["deletion", id] as const,
  rollback: (flowId: string, newest: number, to: number) => ["rollback", flowId, newest, to] as const,
  comparison: (flowId: string, before: number, after: number) => ["comparison", flowId, before, after] as const,
};

export const scheduleKeys = {
  allSkips: ["skips"] as const,
  skips: (scheduleId: string) => [...scheduleKeys.allSkips, scheduleId] as const,
  allNext: ["schedule-next"] as const,
  next: (scheduleId: string) => [...scheduleKeys.allNext, scheduleId] as const,
  deletion: (scheduleId: string) => ["schedule-deletion", scheduleId] as const,
  preview: (flowId: string, content: object) => ["schedule-preview", flowId, content] as const,
};

export const jobKeys = {
  list: ["jobs"] as const,
  all: ["job"] as const,
  one: (id: string) => [...jobKeys.all, id] as const,
};

export const agentKeys = {
  list: ["agents"] as const,
  all: ["agent"] as const,
  one: (id: string) => [...agentKeys.all, id] as const,
  matches: ["agent-match"] as const,
  match: (question: object) => [...agentKeys.matches, question] as const,
};

export const logKeys = {
  search: (view: object) => ["log-search", view] as const,
};

export const limitKeys = { list: ["limits"] as const };

export const knownFailureKeys = { list: ["known-failures"] as const };

export const savedViewKeys = { list: ["saved-views"] as const };

/** Of an automation, with what it has sent; dry runs are not refreshed by events. */
export const automationKeys = {
  list: ["automations"] as const,
  all: ["automation"] as const,
  one: (id: string) => [...automationKeys.all, id] as const,
  dryRun: (condition: object) => ["automation-dry-run", condition] as const,
};

/** Of a run, with the content of one as it was at a time. */
export const artifactKeys = {
  ofRun: (flowRunId: string) => ["artifacts", flowRunId] as const,
  content: (id: string, updated: string) => ["artifact-content", id, updated] as const,
};

export const secretKeys = { list: ["secrets"] as const };

export const keptKeys = {
  all: ["kept"] as const,
  totals: ["kept", "totals"] as const,
  bundles: ["kept", "bundles"] as const,
  results: (filter: object) => ["kept", "results", filter] as const,
};

/** Those of a user change with the user; null: one's own. */
export const peopleKeys = {
  all: ["people"] as const,
  users: ["people", "users"] as const,
  tokens: ["people", "tokens"] as const,
  sessions: (userId: string | null) => ["people", "sessions", userId] as const,
};

export const systemKeys = { all: ["system"] as const };

const OF_ONE: ReadonlySet<unknown> = new Set(
  [flowRunKeys.all, taskRunKeys.all, jobKeys.all, scheduleKeys.allSkips, scheduleKeys.allNext, automationKeys.all].map(
    ([noun]) => noun,
  ),
);

/** The id of the object that a query is about; null for lists and for flows, which change with their runs. */
export function objectOf([noun, id]: readonly unknown[]): string | null {
  return OF_ONE.has(noun) && typeof id === "string" ? id : null;
}

/** Not refreshed by events: the palette asks again whenever something else is typed. */
export const paletteKeys = {
  name: (name: string) => ["palette", "name", name] as const,
  id: (id: string) => ["palette", "id", id] as const,
};

export const docsKeys = { index: ["docs"] as const };
