/** One run beside the list, from what the list knows of it already: why it failed or waits, or how far it is. */

import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Button } from "react-aria-components";
import type { RunRow } from "../../api/flow-runs";
import { lookOfRun } from "../../lib/states";
import { doneOf, progressOf, taskName } from "../../lib/why";
import { useNow } from "../../ui/clock";
import { Elapsed, Instant } from "../../ui/instant";
import { StatePill } from "../../ui/state-pill";
import { StartedBy } from "./started-by";
import { WaitSentence } from "./wait-sentence";
import "./quick-look.css";

export function QuickLook({ run, onClose }: { run: RunRow; onClose: () => void }) {
  const look = lookOfRun(run, useNow());
  return (
    <aside className="quick-look" aria-label={`Quick look at ${run.name}`}>
      <div className="quick-look-head">
        <StatePill look={look} />
        <Link to="/runs/$runId" params={{ runId: run.id }} className="strong clip">
          {run.name}
        </Link>
        <span className="spring" />
        <Button className="button small quiet" aria-label="Close the quick look" onPress={onClose}>
          <span aria-hidden="true">✕</span>
        </Button>
      </div>
      <Reason run={run} />
      <dl className="quick-look-facts">
        <Fact name="Flow">
          {run.flow.project.name} /{" "}
          <Link to="/flows/$flowId" params={{ flowId: run.flow.id }} className="link" preload={false}>
            {run.flow.name}
          </Link>
        </Fact>
        <Fact name="Version">{run.version.number}</Fact>
        <Fact name="Due">
          <Instant at={run.scheduledTime} />
        </Fact>
        <Fact name="Started">{run.startTime && <Instant at={run.startTime} />}</Fact>
        <Fact name="Ended">{run.endTime && <Instant at={run.endTime} />}</Fact>
        <Fact name="Duration">{run.startTime && <Elapsed start={run.startTime} end={run.endTime} />}</Fact>
        <Fact name="Attempt">{run.attempt > 1 && run.attempt}</Fact>
        <Fact name="Agent">{run.agent?.name}</Fact>
        <Fact name="Labels">{run.labels.join(", ")}</Fact>
        <Fact name="By">
          <StartedBy run={run} />
        </Fact>
      </dl>
      <Link to="/runs/$runId" params={{ runId: run.id }} className="button">
        Open the run
      </Link>
    </aside>
  );
}

/** A fact that is not known is left out. */
function Fact({ name, children }: { name: string; children: ReactNode }) {
  if (!children) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Reason({ run }: { run: RunRow }) {
  const { cause, waitReason, taskCounts: counts } = run;
  return (
    <>
      {cause && (
        <div className="quick-look-cause">
          {cause.taskSlug && <b>{taskName(cause)}</b>}
          <p className="mono">{cause.message}</p>
        </div>
      )}
      {!cause && waitReason && (
        <p>
          <WaitSentence sentence={waitReason} holders={run.waitHolders} />
        </p>
      )}
      {!cause && !waitReason && run.state.message && <p className="mono">{run.state.message}</p>}
      {counts.total > 0 && (
        <div className="quick-look-progress">
          <progress max={counts.total} value={doneOf(counts)} aria-label="Tasks that have ended" />
          <span className="number muted">
            {progressOf(counts)}
            {counts.failed > 0 && `, ${counts.failed.toLocaleString("en")} failed`}
          </span>
        </div>
      )}
    </>
  );
}
