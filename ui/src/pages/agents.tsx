import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useRef, useState } from "react";
import { Button } from "react-aria-components";
import { agentsQuery } from "../api/agents";
import { AgentsTable } from "../features/agents/agents-table";
import { AgentFilterBar } from "../features/agents/filter-bar";
import { JoinDialog } from "../features/agents/join-dialog";
import { MatchCard } from "../features/agents/match-card";
import { NoAgents } from "../features/agents/no-agents";
import { useWriting } from "../features/session/permissions";
import { type MatchView, parseMatchSearch, printMatch, viewOf } from "../lib/agent-match";
import { type AgentView, inOrder, isShown, parseAgentView, printAgentView, summaryOf } from "../lib/agents";
import { Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { useShortcuts } from "../ui/shortcuts";

const NOTHING: MatchView = viewOf({});

export function AgentsPage() {
  usePageTitle("Agents");
  const search = useSearch({ from: "/app/agents" });
  const navigate = useNavigate();
  const view = useMemo(() => parseAgentView(search), [search]);
  const match = useMemo(() => parseMatchSearch(search), [search]);
  const query = useQuery(agentsQuery);
  const writing = useWriting();
  const input = useRef<HTMLInputElement>(null);
  const [current, setCurrent] = useState(-1);
  const [isAdding, setAdding] = useState(false);
  const server = query.data?.server ?? { time: "", version: "" };
  const agents = inOrder(query.data?.agents ?? []);
  const shown = agents.filter((agent) => isShown(agent, view, server.time, server.version));
  const change = (next: AgentView) =>
    void navigate({ to: "/agents", search: { ...match, ...printAgentView(next) }, replace: true });
  const ask = (next: MatchView | null) =>
    void navigate({ to: "/agents", search: { ...printAgentView(view), ...(next && printMatch(next)) } });
  const add = () => writing.allowed && setAdding(true);
  useShortcuts("Agents", [
    { keys: "/", label: "Filter", run: () => input.current?.focus() },
    { keys: "j", label: "Next agent", run: () => setCurrent((at) => Math.min(shown.length - 1, at + 1)) },
    { keys: "k", label: "Previous agent", run: () => setCurrent((at) => Math.max(0, at - 1)) },
    {
      keys: "Enter",
      label: "Open the agent",
      run: () => {
        const agent = shown[current];
        if (agent) void navigate({ to: "/agents/$agentId", params: { agentId: agent.id } });
      },
    },
    { keys: "m", label: "Which agent would take a run?", run: () => ask(match.test ? null : NOTHING) },
    { keys: "n", label: "Add an agent…", run: add },
  ]);
  const button = (
    <span title={writing.reason}>
      <Button className="button primary" isDisabled={!writing.allowed} onPress={add}>
        Add an agent…
      </Button>
    </span>
  );
  return (
    <div className="page">
      <div className="page-head agents-head">
        <h1>Agents</h1>
        <span className="muted number">{summaryOf(agents, server.time)}</span>
        <span className="spring" />
        {agents.length > 0 && (
          <>
            <Button
              className="button"
              aria-expanded={match.test !== undefined}
              onPress={() => ask(match.test ? null : NOTHING)}
            >
              Who would take a run?
            </Button>
            {button}
          </>
        )}
      </div>
      {match.test && (
        <MatchCard view={viewOf(match)} change={ask} onClose={() => ask(null)} onAdd={() => setAdding(true)} />
      )}
      {agents.length > 0 && <AgentFilterBar view={view} change={change} input={input} />}
      <div className="card">
        <section className="table-box" aria-label="Agents" tabIndex={0}>
          {query.isPending ? (
            <Skeleton rows={6} label="agents" />
          ) : query.isError && !query.data ? (
            <Failure error={query.error} retry={() => void query.refetch()} what="The agents" />
          ) : shown.length === 0 ? (
            <NoAgents areThere={agents.length > 0} clear={() => change({ show: "all", q: "" })} action={button} />
          ) : (
            <AgentsTable agents={shown} server={server} current={current} />
          )}
        </section>
      </div>
      {isAdding && (
        <JoinDialog labels={viewOf(match).labels} project={viewOf(match).project} onClose={() => setAdding(false)} />
      )}
    </div>
  );
}
