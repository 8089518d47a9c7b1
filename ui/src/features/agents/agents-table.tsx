import { Link } from "@tanstack/react-router";
import type { AgentRow, Server } from "../../api/agents";
import { formatRelative } from "../../lib/time";
import { useNow } from "../../ui/clock";
import { Instant } from "../../ui/instant";
import { useMay } from "../session/permissions";
import { AgentMenu } from "./agent-menu";
import { AgentPill, Labels, Problems } from "./agent-parts";
import { Slots } from "./slots";
import "./agents.css";

interface Props {
  agents: readonly AgentRow[];
  server: Server;
  current: number;
}

export function AgentsTable({ agents, server, current }: Props) {
  const mayManage = useMay()("agents:manage");
  return (
    <table className="table wrap-table agents-table">
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">Agent</th>
          <th scope="col">Slots in use</th>
          <th scope="col">Labels</th>
          <th scope="col">Problems</th>
          <th scope="col">Last contact</th>
          {mayManage && (
            <th scope="col">
              <span className="unseen">Actions</span>
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {agents.map((agent, index) => (
          <tr key={agent.id} className={index === current ? "row-current" : ""}>
            <td className="cell-state nowrap">
              <AgentPill agent={agent} server={server} />
            </td>
            <th scope="row" className="cell-agent-name">
              <Link to="/agents/$agentId" params={{ agentId: agent.id }} className="row-link strong">
                {agent.name}
              </Link>
              <div className="muted normal agent-facts">
                {[agent.type, agent.host, agent.version && `release ${agent.version}`].filter(Boolean).join(" · ")}
              </div>
            </th>
            <td className="cell-slots">
              <Slots agent={agent} />
            </td>
            <td className="cell-labels">
              <Labels labels={agent.labels} />
              {agent.projects.length > 0 && <div className="muted agent-facts">only {agent.projects.join(", ")}</div>}
            </td>
            <td className="cell-problems">
              <Problems agent={agent} server={server} />
            </td>
            <td className="cell-seen number muted">
              <LastContact at={agent.lastSeen} />
            </td>
            {mayManage && (
              <td className="cell-action">
                <AgentMenu agent={agent} />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const RECENT = 86_400_000;

/** Relative while it is recent; the tooltip has the full time and UTC. */
export function LastContact({ at }: { at: string }) {
  const now = useNow();
  const age = now - Date.parse(at);
  if (age > RECENT) return <Instant at={at} />;
  return <Instant at={at}>{age < 10_000 ? "now" : formatRelative(new Date(at), new Date(now))}</Instant>;
}
