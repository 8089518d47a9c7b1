/** One run: its header, its cause, its tasks on the left and the details on the right. */

import { useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import type { Run } from "../../api/flow-runs";
import { canStop, isTerminal, lookOf, type NextStep } from "../../lib/states";
import type { TaskRun } from "../../lib/task-groups";
import { useShortcuts } from "../../ui/shortcuts";
import { StopDialog } from "../runs/stop-dialog";
import { Approvals } from "./approvals";
import { CauseCard } from "./cause-card";
import { Detail, type LineRequest } from "./detail";
import { RunHeader } from "./run-header";
import type { RunSearch } from "./search";
import { Split } from "./split";
import { Structure } from "./structure";
import { SuccessLine } from "./success-line";
import { useGoOn } from "./use-go-on";
import { useTasks } from "./use-tasks";
import "./run.css";
import "./panes.css";

const RestartDialog = lazy(() => import("./restart-dialog"));
const ResumeDialog = lazy(() => import("./resume-dialog"));

export function RunView({ run }: { run: Run }) {
  const search = useSearch({ from: "/app/runs/$runId" });
  const navigate = useNavigate();
  const list = useTasks(run);
  const [stopping, setStopping] = useState(false);
  const [asking, setAsking] = useState<NextStep | TaskRun | null>(null);
  const goOn = useGoOn(run, setAsking);
  const [request, setRequest] = useState<LineRequest | null>(null);
  const go = (change: Partial<RunSearch>) =>
    void navigate({ to: "/runs/$runId", params: { runId: run.id }, search: { ...search, ...change }, replace: true });
  const showInLog = () => {
    const id = Number(run.cause?.firstErrorLogId ?? 0);
    go({ pane: undefined, task: undefined });
    if (id) setRequest((last) => ({ id, turn: (last?.turn ?? 0) + 1 }));
  };
  useShortcuts("Run", [
    { keys: "t", label: "Timeline", run: () => go({ view: undefined }) },
    { keys: "v", label: "Task table", run: () => go({ view: "table" }) },
    { keys: "l", label: "Logs", run: () => go({ pane: undefined }) },
    { keys: "p", label: "Parameters", run: () => go({ pane: "parameters" }) },
    { keys: "a", label: "Artifacts", run: () => go({ pane: "artifacts" }) },
    { keys: "h", label: "State history", run: () => go({ pane: "history" }) },
    ...(search.task ? [{ keys: "Escape", label: "All tasks", run: () => go({ task: undefined }) }] : []),
    {
      keys: "Shift R",
      label: "Run again…",
      run: () => void navigate({ to: "/flows/$flowId/run", params: { flowId: run.flow.id }, search: { from: run.id } }),
    },
    ...(goOn ? [{ keys: "r", label: goOn.label, run: goOn.run }] : []),
    ...(canStop(run.state.type) ? [{ keys: "Shift S", label: "Stop…", run: () => setStopping(true) }] : []),
  ]);
  return (
    <div className="page page-full run-page">
      <RunHeader run={run} goOn={goOn} onStop={() => setStopping(true)} />
      <Announcer run={run} />
      <CauseCard
        run={run}
        showInLog={showInLog}
        onAnywhere={() => setAsking("resume")}
        approvals={<Approvals run={run} groups={list.groups} onAsk={setAsking} />}
      />
      <SuccessLine run={run} list={list} />
      <Split
        left={<Structure run={run} list={list} search={search} go={go} />}
        right={<Detail run={run} groups={list.groups} search={search} go={go} request={request} />}
      />
      <Suspense>
        {asking === "restart" && <RestartDialog run={run} onClose={() => setAsking(null)} />}
        {asking && asking !== "restart" && (
          <ResumeDialog run={run} task={asking === "resume" ? undefined : asking} onClose={() => setAsking(null)} />
        )}
      </Suspense>
      <StopDialog run={stopping ? run : null} onClose={() => setStopping(false)} />
    </div>
  );
}

/** Announces once to screen readers that the run has ended. */
function Announcer({ run }: { run: Run }) {
  const before = useRef(run.state.type);
  const [text, setText] = useState("");
  useEffect(() => {
    if (before.current !== run.state.type && isTerminal(run.state.type))
      setText(`Run ${lookOf(run.state).word}${run.cause ? `: ${run.cause.message}` : ""}`);
    before.current = run.state.type;
  }, [run]);
  return (
    <div className="unseen" role="status">
      {text}
    </div>
  );
}
