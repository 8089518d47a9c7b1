import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { agentQuery } from "../api/agents";
import { AgentDetail } from "../features/agents/agent-detail";
import { DeadEnd } from "../features/palette/dead-end";
import { useRecent } from "../features/palette/recent";
import { Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";

export function AgentPage() {
  const { agentId } = useParams({ from: "/app/agents/$agentId" });
  const query = useQuery(agentQuery(agentId));
  usePageTitle(query.data?.agent?.name ?? "Agent");
  useRecent(`/agents/${agentId}`, query.data?.agent?.name);
  if (query.isPending) return <Skeleton rows={20} label="the agent" />;
  if (!query.data) return <Failure error={query.error} retry={() => void query.refetch()} what="The agent" />;
  const { agent, agentRuns, server } = query.data;
  if (!agent || !agentRuns) return <NoAgent />;
  return <AgentDetail agent={agent} runs={agentRuns} server={server} />;
}

function NoAgent() {
  return (
    <DeadEnd
      title="There is no agent with this ID."
      action={
        <Link to="/agents" className="button primary">
          Go to agents
        </Link>
      }
    >
      Somebody may have forgotten it, or it was offline for so long that it was removed; or the link is incomplete.
    </DeadEnd>
  );
}
