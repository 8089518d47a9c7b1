import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { AgentRuns } from "../../api/agents";
import type { RunRow } from "../../api/flow-runs";
import { lookOfRun } from "../../lib/states";
import { whyOf } from "../../lib/why";
import { useNow } from "../../ui/clock";
import { Elapsed, Instant } from "../../ui/instant";
import { StatePill } from "../../ui/state-pill";
import { WaitSentence } from "../runs/wait-sentence";

/** As many as the server lists. */
const MOST = { live: 50, waiting: 20, ended: 20 };

/** The runs that an agent has, those that wait for it and why, and the last ones that ended. */
export function AgentRunsCards({ runs }: { runs: AgentRuns }) {
  const { live, waiting, ended } = runs;
  return (
    <div className="agent-main">
      <Card id="live" title="Runs that it has" runs={live} most={MOST.live} empty="None now." />
      <Card
        id="waiting"
        title="Due runs that it would take"
        runs={waiting}
        most={MOST.waiting}
        empty="No due run waits for this agent."
      />
      <Card
        id="ended"
        title="Ended lately"
        runs={ended}
        most={MOST.ended}
        empty="None of the 2,000 runs that ended last was this agent's."
      />
    </div>
  );
}

interface CardProps {
  id: string;
  title: string;
  runs: readonly RunRow[];
  most: number;
  empty: ReactNode;
}

function Card({ id, title, runs, most, empty }: CardProps) {
  return (
    <section className="card" aria-labelledby={id}>
      <div className="card-head">
        <h2 id={id}>{title}</h2>
        <span className="muted number">{runs.length === most ? `${most}+` : runs.length || ""}</span>
      </div>
      {runs.length === 0 ? (
        <p className="muted card-empty">{empty}</p>
      ) : (
        <table className="table wrap-table agent-runs">
          <thead>
            <tr>
              <th scope="col">State</th>
              <th scope="col">Run</th>
              <th scope="col">Why / progress</th>
              <th scope="col">Started</th>
              <th scope="col" className="right">
                Duration
              </th>
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <Row key={run.id} run={run} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Row({ run }: { run: RunRow }) {
  const look = lookOfRun(run, useNow());
  const why = whyOf(run);
  return (
    <tr>
      <td className="cell-state nowrap">
        <StatePill look={look} />
      </td>
      <td className="cell-run">
        <Link to="/flows/$flowId" params={{ flowId: run.flow.id }} className="above strong" preload={false}>
          {run.flow.name}
        </Link>{" "}
        <Link to="/runs/$runId" params={{ runId: run.id }} className="row-link">
          {run.name}
        </Link>
      </td>
      <td className={`cell-why text-${look.family}`}>
        <WaitSentence sentence={why} holders={run.waitHolders} />
      </td>
      <td className="cell-time number muted nowrap">
        {run.startTime ? (
          <Instant at={run.startTime} />
        ) : (
          <>
            due <Instant at={run.scheduledTime} />
          </>
        )}
      </td>
      <td className="cell-duration right number nowrap">
        <Elapsed start={run.startTime} end={run.endTime} />
      </td>
    </tr>
  );
}
