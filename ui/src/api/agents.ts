/** Agents: the list, one with its runs, who would take a run, and what people decide about them. */

import { queryOptions } from "@tanstack/react-query";
import { type MatchView, questionOf } from "../lib/agent-match";
import {
  AgentDocument,
  AgentMatchDocument,
  type AgentMatchQuery,
  type AgentQuery,
  type AgentRowFragment,
  AgentsDocument,
  DrainAgentDocument,
  ForgetAgentDocument,
  ResumeAgentDocument,
} from "./generated";
import { execute } from "./graphql";
import { agentKeys } from "./keys";

export type AgentRow = AgentRowFragment;
export type Agent = NonNullable<AgentQuery["agent"]>;
export type AgentRuns = NonNullable<AgentQuery["agentRuns"]>;
export type AgentMatch = AgentMatchQuery["agentMatch"];
/** What the server said of itself in the same answer. */
export type Server = AgentQuery["server"];

/** An agent that falls silent sends no event. */
const ASK_EVERY = 30_000;

export const agentsQuery = queryOptions({
  queryKey: agentKeys.list,
  queryFn: ({ signal }) => execute(AgentsDocument, {}, signal),
  refetchInterval: ASK_EVERY,
});

export function agentQuery(id: string) {
  return queryOptions({
    queryKey: agentKeys.one(id),
    queryFn: ({ signal }) => execute(AgentDocument, { id }, signal),
    refetchInterval: ASK_EVERY,
  });
}

export function agentMatchQuery(view: MatchView) {
  const question = questionOf(view);
  return queryOptions({
    queryKey: agentKeys.match(question),
    queryFn: async ({ signal }) => (await execute(AgentMatchDocument, question, signal)).agentMatch,
  });
}

interface Change {
  agentId: string;
  idempotencyKey: string;
}

export async function drainAgent(input: Change) {
  return (await execute(DrainAgentDocument, { input })).drainAgent.agent;
}

export async function resumeAgent(input: Change) {
  return (await execute(ResumeAgentDocument, { input })).resumeAgent.agent;
}

export async function forgetAgent(input: Change): Promise<void> {
  await execute(ForgetAgentDocument, { input });
}
