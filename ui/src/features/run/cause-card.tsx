/** The card at the top of any run that did not just succeed: what happened, where, why, and what it blocked. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Button } from "react-aria-components";
import { type Cause, type Run, startNow } from "../../api/flow-runs";
import { NO_AGENT_CODES, printMatch } from "../../lib/agent-match";
import { counted } from "../../lib/counted";
import { newKey } from "../../lib/keys";
import { isUuid } from "../../lib/run-filter";
import { type Family, isTerminal, lookOfRun } from "../../lib/states";
import { canStartNow } from "../../lib/waiting";
import { doneOf, taskName } from "../../lib/why";
import { BusyButton } from "../../ui/busy-button";
import { useNow } from "../../ui/clock";
import { copyText } from "../../ui/copy";
import { Countdown, Instant } from "../../ui/instant";
import { toast, toastError } from "../../ui/toasts";
import { KnownButton, KnownLine } from "../known-failures/known-line";
import { WaitSentence } from "../runs/wait-sentence";
import { useMay, useWriting } from "../session/permissions";
import { RunLinks } from "./run-links";

interface Props {
  run: Run;
  showInLog: () => void;
  /** Asks whether the run shall go on without results that no agent can read now. */
  onAnywhere: () => void;
  /** A paused run's tasks that wait for a person. */
  approvals: ReactNode;
}

export function CauseCard({ run, showInLog, onAnywhere, approvals }: Props) {
  const { type, name } = run.state;
  if (type === "FAILED") return name === "Crashed" ? <Crashed run={run} /> : <Failed run={run} showInLog={showInLog} />;
  if (type === "CANCELLED" || type === "CANCELLING") return <Cancelled run={run} />;
  if (type === "RUNNING") return <Progress run={run} />;
  if (!isTerminal(type)) return <Waiting run={run} onAnywhere={onAnywhere} approvals={approvals} />;
  return null;
}

function Card({ family, label, children }: { family: Family; label: string; children: ReactNode }) {
  return (
    <section className={`card cause cause-${family}`} aria-label={label}>
      {children}
    </section>
  );
}

function Failed({ run, showInLog }: Pick<Props, "run" | "showInLog">) {
  const cause = run.cause;
  const message = cause?.message || run.state.message || "No error message.";
  return (
    <Card family="failed" label="Why it failed">
      <div>
        {cause?.taskSlug ? (
          <>
            <b className="mono">{taskName(cause)}</b> failed{cause.attempts > 1 && ` after ${cause.attempts} attempts`}
          </>
        ) : (
          "The run failed"
        )}
      </div>
      <div className="cause-message mono text-failed">
        <RunLinks text={message} />
      </div>
      <Consequences cause={cause} />
      <KnownLine cause={cause} />
      <div className="row">
        {run.logCount > 0 && (
          <Button className="button" onPress={showInLog}>
            Show in log
          </Button>
        )}
        <CopyButton text={message} />
        <KnownButton run={run} task={cause?.taskSlug ? taskName(cause) : ""} message={message} />
      </div>
    </Card>
  );
}

function Consequences({ cause }: { cause: Cause | null }) {
  if (!cause) return null;
  const facts: ReactNode[] = [];
  if (cause.location) facts.push(cause.location);
  if (cause.otherRoots > 0) facts.push(`${tasks(cause.otherRoots, "other task")} also failed`);
  if (cause.notRun > 0) facts.push(`${tasks(cause.notRun, "task")} did not run as a result`);
  if (cause.lastSuccess)
    facts.push(
      <>
        last success <Instant at={cause.lastSuccess} />
      </>,
    );
  if (facts.length === 0) return null;
  return (
    <div className="muted facts">
      {facts.map((fact, index) => (
        <span key={index}>{fact}</span>
      ))}
    </div>
  );
}

function tasks(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

function Crashed({ run }: { run: Run }) {
  const cause = run.cause;
  const message = run.state.message || cause?.message || "The run's process ended without a message.";
  return (
    <Card family="failed" label="Why it crashed">
      <div className="cause-message mono text-failed">{message}</div>
      <div className="muted facts">
        {cause?.signal && <span>signal {cause.signal}</span>}
        {cause?.exitCode != null && <span>exit code {cause.exitCode}</span>}
        {run.agent && <span>agent {run.agent.name}</span>}
        {cause?.lastSuccess && (
          <span>
            last success <Instant at={cause.lastSuccess} />
          </span>
        )}
      </div>
      {cause && cause.tail.length > 0 && (
        <>
          <div className="muted">Last lines of its output:</div>
          <section className="tail" tabIndex={0} aria-label="Last lines of output">
            <pre className="mono">{cause.tail.join("\n")}</pre>
          </section>
        </>
      )}
      <KnownLine cause={cause} />
      <div className="row">
        <CopyButton text={[message, ...(cause?.tail ?? [])].join("\n")} />
        <KnownButton run={run} task="" message={message} />
      </div>
    </Card>
  );
}

function CopyButton({ text }: { text: string }) {
  return (
    <Button className="button" onPress={() => void copyText(text, "Error copied.")}>
      Copy error
    </Button>
  );
}

function Cancelled({ run }: { run: Run }) {
  const record = [...run.states].reverse().find((one) => one.type === "CANCELLING" || one.type === "CANCELLED");
  const by = record?.actor && !isUuid(record.actor) ? ` by ${record.actor}` : "";
  const stopping = run.state.type === "CANCELLING";
  return (
    <Card family="neutral" label="Why it was stopped">
      <div>
        {stopping ? "Stopping, requested" : "Stopped"}
        {by} {record && <Instant at={record.at} />}
      </div>
      {(record?.message || run.state.message) && (
        <div className="mono muted">{record?.message || run.state.message}</div>
      )}
    </Card>
  );
}

function Progress({ run }: { run: Run }) {
  const counts = run.taskCounts;
  const done = doneOf(counts);
  const share = counts.total ? done / counts.total : 0;
  return (
    <Card family="running" label="Progress">
      <div className="progress-line">
        <div
          className="progress"
          role="progressbar"
          aria-label="Finished tasks"
          aria-valuemin={0}
          aria-valuemax={counts.total}
          aria-valuenow={done}
        >
          <span style={{ width: `${share * 100}%` }} />
        </div>
        <span className="number">
          {counts.total ? `${done.toLocaleString("en")} of ${counted(counts.total, "task")} finished` : "Starting"}
          {counts.failed > 0 && <b className="text-failed"> · {counts.failed} failed</b>}
        </span>
      </div>
    </Card>
  );
}

function Waiting({ run, onAnywhere, approvals }: Omit<Props, "showInLog">) {
  const now = useNow();
  const look = lookOfRun(run, now);
  const isFuture = Date.parse(run.scheduledTime) > now;
  const sentence =
    run.waitReason || run.state.message || (isFuture ? "Waiting for its scheduled time." : "Waiting for an agent.");
  return (
    <Card family={look.family} label="Why it waits">
      <div>
        <WaitSentence sentence={sentence} holders={run.waitHolders} />
      </div>
      {run.waitHolders.length > NAMED_IN_SENTENCE && <Holders run={run} />}
      {isFuture && (
        <div className="muted">
          Starts <Instant at={run.scheduledTime} />, <Countdown at={run.scheduledTime} />
        </div>
      )}
      {approvals}
      <WaitActions run={run} onAnywhere={onAnywhere} />
    </Card>
  );
}

const NAMED_IN_SENTENCE = 3;
const LISTED = 12;

function Holders({ run }: { run: Run }) {
  const rest = run.waitHolders.length - LISTED;
  return (
    <div className="muted facts">
      {run.waitHolders.slice(0, LISTED).map(({ id, name }) => (
        <span key={id}>
          <Link to="/runs/$runId" params={{ runId: id }} className="link">
            {name}
          </Link>
        </span>
      ))}
      {rest > 0 && <span>{rest} more</span>}
    </div>
  );
}

function WaitActions({ run, onAnywhere }: Pick<Props, "run" | "onAnywhere">) {
  const may = useMay();
  const writing = useWriting();
  const client = useQueryClient();
  const start = useMutation({
    mutationFn: (key: string) => startNow(run.id, key),
    onSuccess: () => {
      toast(`${run.flow.name} / ${run.name} is due now.`);
      return client.invalidateQueries();
    },
    onError: toastError,
  });
  const startable = canStartNow(run) && may("runs:edit");
  const isElsewhere = run.waitCode === "no_results" && may("runs:resume");
  const isForAgents = run.waitCode !== null && NO_AGENT_CODES.has(run.waitCode);
  if (!startable && !isElsewhere && !isForAgents && run.waitCode !== "limit") return null;
  return (
    <div className="row">
      {startable && (
        <BusyButton
          className="button"
          isDisabled={!writing.allowed}
          isBusy={start.isPending}
          onPress={() => start.mutate(newKey())}
        >
          Start now
        </BusyButton>
      )}
      {isElsewhere && (
        <Button className="button" isDisabled={!writing.allowed} onPress={onAnywhere}>
          Continue anywhere…
        </Button>
      )}
      {isForAgents && (
        <Link to="/agents" search={questionAbout(run)} className="button">
          Who would take it?
        </Link>
      )}
      {run.waitCode === "limit" && (
        <Link to="/limits" className="button">
          Show limits
        </Link>
      )}
    </div>
  );
}

/** Who would take this run. */
function questionAbout({ labels, flow, runConfig }: Run) {
  const { kind, storage, fields } = runConfig ?? { kind: "", storage: "", fields: [] };
  const said = (name: string) => String(fields.find((field) => field.name === name)?.value ?? "");
  const [user, python] = [said("user"), said("python")];
  return printMatch({ labels: labels.join(","), project: flow.project.name, kind, storage, user, python });
}
