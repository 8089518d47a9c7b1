import { Link } from "@tanstack/react-router";
import { Button } from "react-aria-components";
import type { Run } from "../../api/flow-runs";
import { canStop, lookOfRun } from "../../lib/states";
import { usageFacts } from "../../lib/usage";
import { shortVersion } from "../../lib/versions";
import { BusyButton } from "../../ui/busy-button";
import { useNow } from "../../ui/clock";
import { copyText } from "../../ui/copy";
import { Elapsed, Instant } from "../../ui/instant";
import { StatePill } from "../../ui/state-pill";
import { StartedBy } from "../runs/started-by";
import { useWriting } from "../session/permissions";
import { MoreMenu } from "./more-menu";
import type { GoOn } from "./use-go-on";

export function RunHeader({ run, goOn, onStop }: { run: Run; goOn: GoOn | null; onStop: () => void }) {
  const now = useNow();
  const writing = useWriting();
  return (
    <header className="run-head">
      <nav className="crumbs" aria-label="Breadcrumb">
        <span>{run.flow.project.name}</span>
        <span aria-hidden="true">/</span>
        <Link to="/flows/$flowId" params={{ flowId: run.flow.id }}>
          {run.flow.name}
        </Link>
        <span aria-hidden="true">/</span>
        <span aria-current="page">{run.name}</span>
        <CopyId id={run.id} />
      </nav>
      <div className="run-head-line">
        <h1>
          {run.flow.name} <span className="h1-second">{run.name}</span>
        </h1>
        <StatePill look={lookOfRun(run, now)} />
        <RunTimes run={run} />
        <span className="spring" />
        {goOn && (
          <span title={writing.reason}>
            <BusyButton
              className={goOn.isMain ? "button primary" : "button"}
              isDisabled={!writing.allowed}
              isBusy={goOn.isPending}
              onPress={goOn.run}
            >
              {goOn.label}
            </BusyButton>
          </span>
        )}
        {writing.allowed ? (
          <Link to="/flows/$flowId/run" params={{ flowId: run.flow.id }} search={{ from: run.id }} className="button">
            Run again…
          </Link>
        ) : (
          <span title={writing.reason}>
            <Button className="button" isDisabled>
              Run again…
            </Button>
          </span>
        )}
        {canStop(run.state.type) && (
          <span title={writing.reason}>
            <Button className="button" isDisabled={!writing.allowed} onPress={onStop}>
              Stop…
            </Button>
          </span>
        )}
        <MoreMenu run={run} />
      </div>
    </header>
  );
}

function CopyId({ id }: { id: string }) {
  return (
    <span title={id}>
      <Button className="button quiet copy-id" onPress={() => void copyText(id, "Run ID copied.")}>
        Copy ID
      </Button>
    </span>
  );
}

function RunTimes({ run }: { run: Run }) {
  const facts = [
    shortVersion(run.version),
    run.agent && (
      <Link to="/agents/$agentId" params={{ agentId: run.agent.id }} className="link">
        {run.agent.name}
      </Link>
    ),
    run.attempt > 1 ? `attempt ${run.attempt}` : null,
    <>
      by <StartedBy run={run} />
    </>,
    ...run.labels.map((label) => `label ${label}`),
    ...usageFacts(run),
  ].filter(Boolean);
  return (
    <>
      <span className="muted number">
        {run.startTime ? (
          <>
            <Instant at={run.startTime} />
            {run.endTime && (
              <>
                {" to "}
                <Instant at={run.endTime} />
              </>
            )}
            {" ("}
            <Elapsed start={run.startTime} end={run.endTime} />
            {")"}
          </>
        ) : (
          <>
            due <Instant at={run.scheduledTime} />
          </>
        )}
      </span>
      <span className="muted facts">
        {facts.map((fact, index) => (
          <span key={index}>{fact}</span>
        ))}
      </span>
    </>
  );
}
