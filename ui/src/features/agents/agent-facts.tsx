import type { ReactNode } from "react";
import type { Agent } from "../../api/agents";
import { Instant } from "../../ui/instant";
import { Labels } from "./agent-parts";

/** What an agent says of itself. What an agent of an earlier release doesn't say is left out. */
export function AgentFacts({ agent }: { agent: Agent }) {
  return (
    <section className="card" aria-labelledby="facts">
      <div className="card-head">
        <h2 id="facts">What it says of itself</h2>
      </div>
      <dl className="agent-pairs">
        <Pair name="Type">{agent.type}</Pair>
        <Pair name="Host">{agent.host}</Pair>
        <Pair name="Release">{agent.version}</Pair>
        <Pair name="Labels">{agent.labels.length > 0 && <Labels labels={agent.labels} />}</Pair>
        <Pair name="Projects">{agent.projects.join(", ") || "all"}</Pair>
        <Pair name="Code from">
          {agent.storages ? agent.storages.join(", ") : "files, as it is of an earlier release"}
        </Pair>
        <Pair name="Folders">{agent.roots && <Lines lines={agent.roots} empty="none" />}</Pair>
        <Pair name="Variables">{agent.envNames && <Lines lines={agent.envNames} empty="none" />}</Pair>
        <Pair name="Runs as">{agent.users && (agent.users.join(", ") || "its own user alone")}</Pair>
        <Pair name="Pythons">{agent.pythons && <Lines lines={agent.pythons} empty="its own alone" />}</Pair>
        <Pair name="Results in">{agent.resultsUrl !== null && (agent.resultsUrl || "no default place")}</Pair>
        <Pair name="Enrolled">
          <Instant at={agent.created} />
        </Pair>
        <Pair name="ID">
          <span className="mono">{agent.id}</span>
        </Pair>
      </dl>
    </section>
  );
}

function Pair({ name, children }: { name: string; children: ReactNode }) {
  if (children === null || children === false || children === "") return null;
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function Lines({ lines, empty }: { lines: readonly string[]; empty: string }) {
  if (lines.length === 0) return empty;
  return (
    <ul>
      {lines.map((line) => (
        <li key={line} className="mono">
          {line}
        </li>
      ))}
    </ul>
  );
}
