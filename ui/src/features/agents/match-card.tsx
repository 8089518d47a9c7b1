/** Which agent would take a run with these labels, of this project, kind, and storage; and what the others lack. */

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { Button, Form } from "react-aria-components";
import { type AgentMatch, agentMatchQuery } from "../../api/agents";
import { KINDS, type MatchView, STORAGES } from "../../lib/agent-match";
import { lookOfAgent } from "../../lib/agents";
import { counted } from "../../lib/counted";
import { Failure } from "../../ui/notice";
import { StateIcon } from "../../ui/state-icon";
import { StatePill } from "../../ui/state-pill";

interface Props {
  view: MatchView;
  change: (view: MatchView) => void;
  onClose: () => void;
  onAdd: () => void;
}

export function MatchCard({ view, change, onClose, onAdd }: Props) {
  const query = useQuery({ ...agentMatchQuery(view), placeholderData: keepPreviousData });
  return (
    <section className="card match-card" aria-labelledby="match">
      <div className="card-head">
        <h2 id="match">Who would take a run?</h2>
        <span className="spring" />
        <Button className="button small quiet" aria-label="Close the question" onPress={onClose}>
          ✕
        </Button>
      </div>
      <div className="card-body">
        <Question view={view} change={change} />
        {query.isError && !query.data ? (
          <Failure error={query.error} retry={() => void query.refetch()} what="The answer" />
        ) : (
          query.data && <Answer match={query.data} isOld={query.isPlaceholderData} onAdd={onAdd} />
        )}
      </div>
    </section>
  );
}

function Question({ view, change }: Pick<Props, "view" | "change">) {
  const [labels, setLabels] = useState(view.labels);
  const [project, setProject] = useState(view.project);
  useEffect(() => setLabels(view.labels), [view.labels]);
  const [user, setUser] = useState(view.user);
  const [python, setPython] = useState(view.python);
  useEffect(() => setProject(view.project), [view.project]);
  useEffect(() => setUser(view.user), [view.user]);
  useEffect(() => setPython(view.python), [view.python]);
  const typed = { ...view, labels, project, user, python };
  return (
    <Form
      className="match-question"
      onSubmit={(event) => {
        event.preventDefault();
        change(typed);
      }}
    >
      <Text label="Labels" placeholder="gpu, warehouse" value={labels} onChange={setLabels} />
      <Text label="Project" placeholder="any" value={project} onChange={setProject} />
      <Choice label="Run config" value={view.kind} options={KINDS} onChange={(kind) => change({ ...typed, kind })} />
      <Choice
        label="Code in"
        value={view.storage}
        options={STORAGES}
        onChange={(storage) => change({ ...typed, storage })}
      />
      <Text label="User" placeholder="the agent's" value={user} onChange={setUser} />
      <Text label="Python" placeholder="the agent's" value={python} onChange={setPython} />
      <Button type="submit" className="button primary">
        Ask
      </Button>
    </Form>
  );
}

interface TextProps {
  label: string;
  placeholder: string;
  value: string;
  onChange: (value: string) => void;
}

function Text({ label, placeholder, value, onChange }: TextProps) {
  return (
    <label className="match-field">
      <span className="field-label">{label}</span>
      <input
        className="input"
        placeholder={placeholder}
        autoComplete="off"
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly { value: string; text: string }[];
  onChange: (value: string) => void;
}

function Choice({ label, value, options, onChange }: ChoiceProps) {
  return (
    <label className="match-field">
      <span className="field-label">{label}</span>
      <select className="select" value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.text}
          </option>
        ))}
      </select>
    </label>
  );
}

const SHOWN = 5;

function Answer({ match, isOld, onAdd }: { match: AgentMatch; isOld: boolean; onAdd: () => void }) {
  const [isOpen, setOpen] = useState(false);
  const visible = isOpen ? match.agents : match.agents.slice(0, SHOWN);
  const { taking, total } = match;
  return (
    <div className={isOld ? "match-answer dimmed" : "match-answer"}>
      <p className={taking > 0 ? "strong" : "strong text-attention"} role="status">
        {match.sentence}
      </p>
      <ul className="match-agents">
        {visible.map((agent) => (
          <li key={agent.id}>
            <Verdict agent={agent} />
          </li>
        ))}
      </ul>
      <div className="row">
        {match.agents.length > SHOWN && (
          <Button className="button small" onPress={() => setOpen(!isOpen)} aria-expanded={isOpen}>
            {isOpen ? "Show fewer" : `Show ${match.agents.length - SHOWN} more`}
          </Button>
        )}
        {isOpen && total > match.agents.length && (
          <span className="muted">{counted(total - match.agents.length, "other agent")} lack more.</span>
        )}
        {taking === 0 && (
          <Button className="button small" onPress={onAdd}>
            Add an agent that would…
          </Button>
        )}
      </div>
    </div>
  );
}

const YES = { icon: "M2 6.5 5 9.5 10.5 3" };

function Verdict({ agent }: { agent: AgentMatch["agents"][number] }) {
  const isFull = agent.running >= agent.capacity;
  const state = agent.health === "draining" || agent.health === "quarantined" ? agent.health : null;
  return (
    <>
      <Link to="/agents/$agentId" params={{ agentId: agent.id }} className="link strong">
        {agent.name}
      </Link>{" "}
      {agent.missing.length > 0 ? (
        <>
          {agent.health !== "online" && <StatePill look={lookOfAgent(state ?? "offline", agent.running)} />}{" "}
          <span>{agent.missing.map((part) => part.sentence).join(" ")}</span>
        </>
      ) : (
        <span className="text-success">
          <StateIcon look={YES} />{" "}
          {isFull ? "It would take the run as soon as a slot is free." : "It would take the run."}
        </span>
      )}
    </>
  );
}
