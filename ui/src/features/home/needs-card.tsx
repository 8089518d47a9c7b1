import { Link } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { Button } from "react-aria-components";
import type { FailedRun, Home, HomeRun } from "../../api/home";
import { kindOf } from "../../lib/bulk";
import { counted } from "../../lib/counted";
import { inARow, type Need, runsOf } from "../../lib/home";
import { lookOf } from "../../lib/states";
import { Instant } from "../../ui/instant";
import { StateIcon } from "../../ui/state-icon";
import { BulkDialog } from "../bulk/bulk-dialog";
import { WaitSentence } from "../runs/wait-sentence";
import { useMay, useWriting } from "../session/permissions";
import { Card } from "./card";

const KnownDialog = lazy(() => import("../known-failures/known-dialog"));
const LATE = { type: "SCHEDULED", name: "Late" };

/** One row for each cause, with its whole message; then runs that are late or wait for a person, and agents with problems. */
export function NeedsCard({
  home,
  needs,
  known,
}: {
  home: Home;
  needs: readonly Need<FailedRun>[];
  /** How many causes are known. */
  known: number;
}) {
  const { late, paused, agents } = home;
  const [restarting, setRestarting] = useState<Need<FailedRun> | null>(null);
  const [marking, setMarking] = useState<Need<FailedRun> | null>(null);
  const sick = agents.filter((agent) => agent.problems.length > 0 || (agent.health === "offline" && agent.running > 0));
  const isEmpty = needs.length + late.items.length + paused.items.length + sick.length === 0;
  return (
    <Card title="Needs you" note={needs.length > 0 && `${counted(runsOf(needs), "failure")}, grouped by cause`}>
      {isEmpty && <p className="home-empty muted">Nothing. What fails, is late, or waits for you appears here.</p>}
      <ul>
        {needs.map((need) => (
          <Cause key={need.key} need={need} onRestart={setRestarting} onMark={setMarking} />
        ))}
        {late.items.map((run) => (
          <Row key={run.id} look={LATE} run={run} at={run.scheduledTime} tone="attention">
            {run.waitReason ? <WaitSentence sentence={run.waitReason} holders={run.waitHolders} /> : "It starts soon."}
          </Row>
        ))}
        {paused.items.map((run) => (
          <Row key={run.id} look={run.state} run={run} at={run.state.at} tone="paused">
            {run.waitReason ?? run.state.message}
          </Row>
        ))}
        {sick.map((agent) => (
          <li key={agent.id} className="need">
            <span className="text-attention">
              <StateIcon look={lookOf(LATE)} />
            </span>
            <div className="need-text">
              Agent{" "}
              <Link to="/agents/$agentId" params={{ agentId: agent.id }} className="strong">
                {agent.name}
              </Link>
              <p className="text-attention">
                {agent.problems[0] ?? `It is offline and has ${counted(agent.running, "run")}.`}
              </p>
            </div>
          </li>
        ))}
      </ul>
      {known > 0 && (
        <p className="home-known">
          <Link to="/inbox" className="muted link">
            {counted(known, "known failure")}
          </Link>
        </p>
      )}
      <Suspense>
        {marking?.runs[0] && (
          <KnownDialog
            run={marking.runs[0]}
            task={marking.task}
            message={marking.message}
            onClose={() => setMarking(null)}
          />
        )}
      </Suspense>
      {restarting && (
        <BulkDialog
          target={{ kind: kindOf("restart"), runs: restarting.runs, count: countOf(restarting) }}
          selected={countOf(restarting)}
          onClose={() => setRestarting(null)}
          onDone={() => setRestarting(null)}
        />
      )}
    </Card>
  );
}

function countOf({ runs }: Need<FailedRun>) {
  return { total: runs.length, totalCapped: false };
}

interface CauseProps {
  need: Need<FailedRun>;
  onRestart: (need: Need<FailedRun>) => void;
  onMark: (need: Need<FailedRun>) => void;
}

function Cause({ need, onRestart, onMark }: CauseProps) {
  const may = useMay();
  const writing = useWriting();
  const [run] = need.runs;
  if (!run) return null;
  return (
    <Row
      look={run.state}
      run={run}
      task={need.task}
      at={run.endTime ?? run.state.at}
      note={[run.flow.owner, inARow(need)].filter(Boolean).join(" · ")}
      tone="failed"
      action={
        <>
          {may("runs:mark") && (
            <Button
              className="button small quiet"
              isDisabled={!writing.allowed}
              aria-label={`Mark as known: failure of ${run.flow.name}`}
              onPress={() => onMark(need)}
            >
              Mark as known…
            </Button>
          )}
          {may("runs:bulk") && may("runs:restart") && (
            <Button
              className="button small"
              isDisabled={!writing.allowed}
              aria-label={`Restart ${counted(need.runs.length, "run")} of ${run.flow.name} from failed`}
              onPress={() => onRestart(need)}
            >
              Restart{need.runs.length > 1 && ` ${need.runs.length}`}…
            </Button>
          )}
        </>
      }
    >
      {need.message}
    </Row>
  );
}

interface RowProps {
  look: { type: string; name: string };
  run: HomeRun;
  task?: string;
  at: string;
  note?: string;
  tone: "failed" | "attention" | "paused";
  action?: ReactNode;
  children: ReactNode;
}

/** What it is about, and below it, in up to two lines, why. */
function Row({ look, run, task, at, note, tone, action, children }: RowProps) {
  return (
    <li className="need">
      <span className={`text-${tone}`} title={lookOf(look).word}>
        <StateIcon look={lookOf(look)} />
        <span className="unseen">{lookOf(look).word}</span>
      </span>
      <div className="need-text">
        <div className="need-line">
          <Link to="/flows/$flowId" params={{ flowId: run.flow.id }} className="strong" preload={false}>
            {run.flow.name}
          </Link>
          <Link to="/runs/$runId" params={{ runId: run.id }} className="muted">
            {run.name}
          </Link>
          {task && <span className="mono muted">{task}</span>}
          <span className="spring" />
          {note && <span className="muted">{note}</span>}
          <span className="muted number">
            <Instant at={at} />
          </span>
        </div>
        <p className={`need-why text-${tone} ${tone === "failed" ? "mono" : ""}`}>{children}</p>
      </div>
      {action}
    </li>
  );
}
