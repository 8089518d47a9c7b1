import type { HomeAgent } from "../../api/home";
import "./home.css";
import { addressOf } from "../../lib/base";
import { Empty } from "../../ui/notice";

/** Before the first flow: what to do, in order, with what is done already. */
export function Welcome({ agents }: { agents: readonly HomeAgent[] }) {
  const online = agents.filter((agent) => agent.health === "online");
  return (
    <div className="card">
      <Empty title="The appliance is ready for its first flow.">
        <ol className="welcome">
          <li>
            {online.length > 0
              ? `An agent is online: ${online.map((agent) => agent.name).join(", ")}.`
              : "Start an agent; the page Agents shows the command."}
          </li>
          <li>
            Register a flow, a Python file with tasks:
            <pre className="mono command">appliance register flows.py --project my-project</pre>
          </li>
          <li>Run it from its page; this page then shows how your flows are doing.</li>
        </ol>
        <p>
          <a href={addressOf("/docs/first-flow")} className="link">
            How to write a first flow
          </a>
        </p>
      </Empty>
    </div>
  );
}
