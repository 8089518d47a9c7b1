/** The commands that start an agent against this appliance, with a token of its own that is shown once. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "react-aria-components";
import { agentsQuery } from "../../api/agents";
import { createToken } from "../../api/people";
import { useSession } from "../../api/session";
import { AGENT_KINDS, type AgentKind, type NewAgent, startCommand, stateOf, tokenCommand } from "../../lib/agents";
import { addressOf } from "../../lib/base";
import { LIFETIMES } from "../../lib/people";
import { Dialog } from "../../ui/dialog";
import { FormEnd } from "../../ui/form-end";
import { SelectField } from "../../ui/select-field";
import { TextInput } from "../../ui/text-input";
import { useChange } from "../people/use-change";
import { useMay } from "../session/permissions";
import { Command } from "./command";
import { useAgentForm } from "./use-agent-form";

const HOW_TO: Record<AgentKind, string> = {
  process: "/docs/install/#on-the-host-of-an-agent",
  docker: "/docs/docker/#start-an-agent",
  kubernetes: "/docs/kubernetes/#start-an-agent",
};

interface Props {
  /** What the agent should have, if that is known. */
  labels: string;
  project: string;
  onClose: () => void;
}

export function JoinDialog({ labels, project, onClose }: Props) {
  const mayCreate = useMay()("tokens:manage");
  const username = useSession().me?.username ?? "";
  const [shown, setShown] = useState<NewAgent | null>(null);
  const create = useChange(createToken);
  if (shown && (create.data || !mayCreate))
    return <Commands agent={shown} token={create.data?.token ?? null} onClose={onClose} />;
  const start = (agent: NewAgent, lifetime: string) => {
    setShown(agent);
    const lasts = lifetime ? { expires_in: Number(lifetime) } : {};
    if (mayCreate) create.mutate({ name: agent.name, scope: "agent", username, ...lasts });
  };
  return (
    <Dialog title="Add an agent" isOpen onClose={onClose}>
      <AgentForm
        labels={labels}
        project={project}
        mayCreate={mayCreate}
        isPending={create.isPending}
        error={create.error}
        onStart={start}
        onClose={onClose}
      />
    </Dialog>
  );
}

interface FormProps extends Props {
  mayCreate: boolean;
  isPending: boolean;
  error: Error | null;
  onStart: (agent: NewAgent, lifetime: string) => void;
}

function AgentForm({ mayCreate, isPending, onStart, ...rest }: FormProps) {
  const { typed, type, agent, errors } = useAgentForm(rest.labels, rest.project);
  const [lifetime, setLifetime] = useState("");
  const [isSubmitted, setSubmitted] = useState(false);
  return (
    <form
      className="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        setSubmitted(true);
        if (Object.values(errors).every((error) => !error) && !isPending) onStart(agent, lifetime);
      }}
    >
      <TextInput
        label="Name"
        value={typed.name}
        onChange={type("name")}
        help="Unique, such as the name of its machine."
        error={isSubmitted ? errors.name : undefined}
        autoComplete="off"
        autoFocus
        isRequired
      />
      <KindFields form={{ typed, type, errors }} isSubmitted={isSubmitted} />
      <TextInput
        label="Labels"
        value={typed.labels}
        onChange={type("labels")}
        help="What runs may ask for, separated by commas, such as gpu, warehouse."
        autoComplete="off"
      />
      <TextInput
        label="Projects"
        value={typed.projects}
        onChange={type("projects")}
        help="Those whose runs it takes, separated by commas. Empty: all."
        autoComplete="off"
      />
      <TextInput
        label="Slots"
        value={typed.capacity}
        onChange={type("capacity")}
        help="How many runs it has at once."
        error={isSubmitted ? errors.capacity : undefined}
        inputMode="numeric"
      />
      {mayCreate ? (
        <SelectField
          label="Its token lasts for"
          value={lifetime}
          onChange={setLifetime}
          options={LIFETIMES}
          help="The first agent that uses the token is the only one that can."
        />
      ) : (
        <p className="muted">It needs a token, which an administrator creates.</p>
      )}
      <FormEnd
        keep="Close"
        confirm={mayCreate ? "Create token and show commands" : "Show commands"}
        isPending={isPending}
        error={rest.error}
        onClose={rest.onClose}
      />
    </form>
  );
}

type Form = Pick<ReturnType<typeof useAgentForm>, "typed" | "type" | "errors">;

/** How it starts runs, and what it needs for that. */
function KindFields({ form: { typed, type, errors }, isSubmitted }: { form: Form; isSubmitted: boolean }) {
  return (
    <>
      <SelectField label="Runs are" value={typed.kind} onChange={type("kind")} options={AGENT_KINDS} />
      {typed.kind !== "process" && (
        <TextInput
          label="Image"
          value={typed.image}
          onChange={type("image")}
          help="For runs that name none. It has Python and the SDK."
          error={isSubmitted ? errors.image : undefined}
          autoComplete="off"
          isRequired
        />
      )}
    </>
  );
}

function Commands({ agent, token, onClose }: { agent: NewAgent; token: string | null; onClose: () => void }) {
  const [opened] = useState(Date.now);
  const known = useQuery({ ...agentsQuery, refetchInterval: 5_000 });
  const url = location.origin + addressOf("/").replace(/\/$/, "");
  const joined = known.data?.agents.find(({ name }) => name === agent.name);
  const server = known.data?.server;
  const isThere =
    joined !== undefined &&
    server !== undefined &&
    stateOf(joined, server.time) === "online" &&
    Date.parse(joined.lastSeen) > opened - 60_000;
  return (
    <Dialog title={`Start agent ${agent.name}`} isOpen onClose={onClose} isSticky>
      <p>
        On its machine, install the SDK (
        <a className="link" href={addressOf(HOW_TO[agent.kind])} target="_blank" rel="noreferrer">
          how to
        </a>
        ), and then:
      </p>
      {token ? (
        <>
          <p role="status">1. Keep the token in a file. It is shown only this once.</p>
          <Command label="Keep the token" text={tokenCommand(agent.name, token)} />
        </>
      ) : (
        <>
          <p>1. An administrator creates its token, which you keep in a file:</p>
          <Command label="Create the token" text={tokenCommand(agent.name, "TOKEN")} />
        </>
      )}
      <p>2. Start the agent:</p>
      <Command label="Start the agent" text={startCommand(agent, url)} />
      <p className={isThere ? "" : "muted"} role="status">
        {isThere && joined ? (
          <>
            <Link to="/agents/$agentId" params={{ agentId: joined.id }} className="link" onClick={onClose}>
              {joined.name}
            </Link>{" "}
            is online.
          </>
        ) : (
          `When ${agent.name} has started, this says so.`
        )}
      </p>
      <div className="row end">
        <Button className="button primary" onPress={onClose} autoFocus>
          Done
        </Button>
      </div>
    </Dialog>
  );
}
