import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "react-aria-components";
import type { Agent, AgentRuns, Server } from "../../api/agents";
import { BusyButton } from "../../ui/busy-button";
import { useShortcuts } from "../../ui/shortcuts";
import { useMay, useWriting } from "../session/permissions";
import { AgentFacts } from "./agent-facts";
import { AgentPill, Problems } from "./agent-parts";
import { AgentRunsCards } from "./agent-runs";
import { AgentTokens } from "./agent-tokens";
import { LastContact } from "./agents-table";
import { ForgetDialog } from "./forget-dialog";
import { Slots } from "./slots";
import { useAgentChange } from "./use-agent-change";
import "./agents.css";

interface Props {
  agent: Agent;
  runs: AgentRuns;
  server: Server;
}

export function AgentDetail({ agent, runs, server }: Props) {
  const may = useMay();
  const navigate = useNavigate();
  useShortcuts("Agent", [{ keys: "b", label: "Back to the agents", run: () => void navigate({ to: "/agents" }) }]);
  return (
    <div className="page agent-page">
      <header className="run-head">
        <nav className="crumbs" aria-label="Breadcrumb">
          <Link to="/agents">Agents</Link>
          <span aria-hidden="true">/</span>
          <span aria-current="page">{agent.name}</span>
        </nav>
        <div className="run-head-line">
          <h1>{agent.name}</h1>
          <AgentPill agent={agent} server={server} />
          <span className="muted number">
            last contact <LastContact at={agent.lastSeen} />
          </span>
          <span className="spring" />
          {may("agents:manage") && <Actions agent={agent} />}
        </div>
        {agent.draining && (
          <p className="muted">
            This agent gets no runs until somebody resumes it, also after it was started again. Those that it has go on.
          </p>
        )}
        <Problems agent={agent} server={server} />
      </header>
      <div className="agent-grid">
        <AgentRunsCards runs={runs} />
        <div className="agent-side">
          <section className="card" aria-labelledby="slots">
            <div className="card-head">
              <h2 id="slots">Slots in use</h2>
            </div>
            <div className="card-body">
              <Slots agent={agent} />
            </div>
          </section>
          <AgentFacts agent={agent} />
          {may("tokens:manage") && <AgentTokens name={agent.name} />}
        </div>
      </div>
    </div>
  );
}

function Actions({ agent }: { agent: Agent }) {
  const navigate = useNavigate();
  const writing = useWriting();
  const { drain, resume } = useAgentChange();
  const [isForgetting, setForgetting] = useState(false);
  const action = agent.draining ? resume : drain;
  return (
    <>
      <span title={writing.reason}>
        <BusyButton
          className={agent.draining ? "button primary" : "button"}
          isDisabled={!writing.allowed}
          isBusy={action.isPending}
          onPress={() => action.mutate(agent)}
        >
          {agent.draining ? "Resume" : "Drain"}
        </BusyButton>
      </span>
      {agent.health === "offline" && (
        <span title={writing.reason}>
          <Button className="button" isDisabled={!writing.allowed} onPress={() => setForgetting(true)}>
            Forget…
          </Button>
        </span>
      )}
      {isForgetting && (
        <ForgetDialog
          agent={agent}
          onClose={() => setForgetting(false)}
          onForgotten={() => void navigate({ to: "/agents" })}
        />
      )}
    </>
  );
}
