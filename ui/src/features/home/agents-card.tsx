import { Link } from "@tanstack/react-router";
import type { HomeAgent } from "../../api/home";
import { lookOfAgent, stateOf } from "../../lib/agents";
import { formatRelative } from "../../lib/time";
import { useNow } from "../../ui/clock";
import { Card } from "./card";

const MOST = 8;

export function AgentsCard({ agents, serverTime }: { agents: readonly HomeAgent[]; serverTime: string }) {
  const now = useNow();
  const all = (
    <Link to="/agents" className="muted link">
      {agents.length > MOST ? `All ${agents.length}` : "Open"}
    </Link>
  );
  return (
    <Card title="Agents" end={all}>
      {agents.length === 0 && <p className="home-empty text-attention">No agent has enrolled, so no run can start.</p>}
      <ul>
        {agents.slice(0, MOST).map((agent) => {
          const { word, family } = lookOfAgent(stateOf(agent, serverTime), agent.running);
          const silent = agent.health === "offline" && formatRelative(new Date(agent.lastSeen), new Date(now));
          return (
            <li key={agent.id} className="home-line">
              <Link to="/agents/$agentId" params={{ agentId: agent.id }} className="clip home-grow">
                {agent.name}
              </Link>
              <span className={`text-${family}`}>{silent ? `${word}, last seen ${silent}` : word}</span>
              <span className="number muted">
                {agent.running} of {agent.capacity}
              </span>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
