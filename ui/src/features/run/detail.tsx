/** The right pane: the log, the parameters or the state history, for the whole run or the selected task. */

import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";
import { Button } from "react-aria-components";
import type { Run } from "../../api/flow-runs";
import { isAtRest, isTerminal, lookOf } from "../../lib/states";
import type { TaskGroup } from "../../lib/task-groups";
import { parseSelection } from "../../lib/task-selection";
import { Elapsed } from "../../ui/instant";
import { Skeleton } from "../../ui/notice";
import { StatePill } from "../../ui/state-pill";
import { LogViewer } from "../log/log-viewer";
import type { Place } from "../log/use-logs";
import { useMay, useWriting } from "../session/permissions";
import { ChildrenPanel } from "./children-panel";
import { MarkDialog } from "./mark-dialog";
import { RunLinks } from "./run-links";
import { ParametersPanel, StateHistory } from "./run-panels";
import type { RunSearch } from "./search";
import { Tab } from "./tab";
import { useTaskRun } from "./use-tasks";

const ArtifactsPanel = lazy(() => import("./artifacts-panel"));

export interface LineRequest {
  id: number;
  turn: number;
}

interface Props {
  run: Run;
  groups: readonly TaskGroup[];
  search: RunSearch;
  go: (change: Partial<RunSearch>) => void;
  request: LineRequest | null;
}

export function Detail({ run, groups, search, go, request }: Props) {
  const task = useMemo(() => (search.task ? parseSelection(search.task) : null), [search.task]);
  return (
    <section className="card pane" aria-label="Details">
      <div className="pane-head">
        <nav className="tabs" aria-label="Details of the run">
          <Tab label="Logs" isCurrent={!search.pane} onPress={() => go({ pane: undefined })} />
          <Tab label="Parameters" isCurrent={search.pane === "parameters"} onPress={() => go({ pane: "parameters" })} />
          {run.children.total > 0 && (
            <Tab
              label={`Sub-runs (${run.children.total.toLocaleString("en")})`}
              isCurrent={search.pane === "children"}
              onPress={() => go({ pane: "children" })}
            />
          )}
          <Tab label="Artifacts" isCurrent={search.pane === "artifacts"} onPress={() => go({ pane: "artifacts" })} />
          <Tab label="State history" isCurrent={search.pane === "history"} onPress={() => go({ pane: "history" })} />
        </nav>
      </div>
      {search.task && !search.pane && (
        <SelectedTask run={run} groups={groups} selection={search.task} onClear={() => go({ task: undefined })} />
      )}
      {search.pane === "parameters" ? (
        <ParametersPanel run={run} />
      ) : search.pane === "history" ? (
        <StateHistory run={run} />
      ) : search.pane === "children" ? (
        <ChildrenPanel run={run} />
      ) : search.pane === "artifacts" ? (
        <Suspense fallback={<Skeleton rows={4} label="artifacts" />}>
          <ArtifactsPanel run={run} />
        </Suspense>
      ) : (
        <LogViewer
          key={search.task ?? ""}
          flowRunId={run.id}
          task={task}
          place={openAt(run, search.task)}
          isLive={!isTerminal(run.state.type)}
          errorCount={run.errorCount}
          request={request}
          search={search}
          onSearch={go}
        />
      )}
    </section>
  );
}

/** A link to a line opens there; a failed run at its first error, a running one at the end, others at the top. */
function openAt(run: Run, task: string | undefined): Place {
  const linked = /^#L(\d+)$/.exec(location.hash);
  if (linked) return Number(linked[1]);
  if (!task && run.state.type === "FAILED" && run.cause?.firstErrorLogId) return Number(run.cause.firstErrorLogId);
  return run.state.type === "RUNNING" || run.state.type === "CANCELLING" ? "end" : "start";
}

/** Whether the message says why the task has failed or what it waits for. */
function hasMessage({ type, message }: { type: string; message: string }): boolean {
  return message !== "" && type !== "SUCCESS" && type !== "RUNNING";
}

interface SelectedProps {
  run: Run;
  groups: readonly TaskGroup[];
  selection: string;
  onClear: () => void;
}

function SelectedTask({ run, groups, selection, onClear }: SelectedProps) {
  const [isMarking, setMarking] = useState(false);
  const may = useMay()("runs:mark");
  const writing = useWriting();
  const task = useTaskRun(run.id, groups, selection);
  return (
    <div className="selected-task">
      <b className="mono">{selection}</b>
      {task && (
        <>
          <StatePill look={lookOf(task.state)} />
          <span className="muted">
            <Elapsed start={task.startTime} end={task.endTime} />
            {task.runCount > 1 && ` · ${task.runCount} attempts`}
          </span>
          {task.childRunId && (
            <Link to="/runs/$runId" params={{ runId: task.childRunId }} className="link nowrap">
              Sub-run
            </Link>
          )}
          {hasMessage(task.state) && (
            <span className={`mono text-${lookOf(task.state).family} clip`} title={task.state.message}>
              <RunLinks text={task.state.message} />
            </span>
          )}
        </>
      )}
      <span className="spring" />
      {task && may && isAtRest(run.state.type) && (
        <Button className="button small quiet" isDisabled={!writing.allowed} onPress={() => setMarking(true)}>
          Mark as…
        </Button>
      )}
      <Button className="button small quiet" onPress={onClear}>
        All tasks ✕
      </Button>
      {task && isMarking && <MarkDialog run={run} task={task} onClose={() => setMarking(false)} />}
    </div>
  );
}
