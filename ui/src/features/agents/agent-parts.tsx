/** Parts of an agent that the list and its page show alike. */

import type { AgentRow, Server } from "../../api/agents";
import { lookOfAgent, problemsOf, stateOf } from "../../lib/agents";
import { Instant } from "../../ui/instant";
import { StatePill } from "../../ui/state-pill";

interface Props {
  agent: AgentRow;
  server: Server;
}

export function AgentPill({ agent, server }: Props) {
  const state = stateOf(agent, server.time);
  return (
    <>
      <StatePill look={lookOfAgent(state, agent.running)} />
      {state === "quarantined" && agent.quarantinedUntil && (
        <span className="mark">
          until <Instant at={agent.quarantinedUntil} />
        </span>
      )}
      {agent.draining && state !== "draining" && <span className="mark">Drained</span>}
    </>
  );
}

export function Labels({ labels }: { labels: readonly string[] }) {
  return labels.map((label) => (
    <span key={label} className="badge label-badge">
      {label}
    </span>
  ));
}

export function Problems({ agent, server }: Props) {
  const problems = problemsOf(agent, server.time, server.version);
  if (problems.length === 0) return null;
  return (
    <ul className="problems text-attention">
      {problems.map((problem) => (
        <li key={problem}>{problem}</li>
      ))}
    </ul>
  );
}
