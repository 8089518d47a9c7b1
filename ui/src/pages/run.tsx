import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import { Button } from "react-aria-components";
import { type Run, runQuery } from "../api/flow-runs";
import { taskRunsQuery } from "../api/task-runs";
import { CauseCard } from "../features/cause-card";
import { LogViewer } from "../features/log-viewer";
import { RunHeader } from "../features/run-header";
import { ParametersPanel, StateHistory } from "../features/run-panels";
import { StopDialog } from "../features/stop-dialog";
import { TaskTable } from "../features/task-table";
import { familyCounts, Timeline } from "../features/timeline";
import type { Place } from "../features/use-logs";
import { canStop, isTerminal, lookOf } from "../lib/states";
import { parseSelection, selectionOf, type TaskRun, withoutPlumbing } from "../lib/timeline";
import type { RunSearch } from "../router";
import { Elapsed } from "../ui/instant";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { useShortcuts } from "../ui/shortcuts";
import { StateIcon } from "../ui/state-icon";
import { StatePill } from "../ui/state-pill";
import "../ui/run.css";

const MOST_PAGES = 50;

export function RunPage() {
  const { runId } = useParams({ from: "/app/runs/$runId" });
  const query = useQuery(runQuery(runId));
  const run = query.data;
  usePageTitle(run ? `${run.flow.name} ${run.name}` : "Run", run ? lookOf(run.state).family : undefined);
  if (query.isPending) return <Skeleton rows={20} label="the run" />;
  if (!run && query.isError) return <Failure error={query.error} retry={() => void query.refetch()} what="The run" />;
  if (!run) {
    return (
      <Empty
        title="There is no run with this id."
        isPage
        action={
          <Link to="/runs" className="button primary">
            Go to runs
          </Link>
        }
      >
        It may have been deleted, or the link was cut short.
      </Empty>
    );
  }
  return <RunView key={run.id} run={run} />;
}

function RunView({ run }: { run: Run }) {
  const search = useSearch({ from: "/app/runs/$runId" });
  const navigate = useNavigate();
  const [stopping, setStopping] = useState(false);
  const [wish, setWish] = useState<{ id: number; turn: number } | null>(null);
  const go = (change: Partial<RunSearch>) =>
    void navigate({ to: "/runs/$runId", params: { runId: run.id }, search: { ...search, ...change }, replace: true });
  const showInLog = () => {
    const id = Number(run.cause?.firstErrorLogId ?? 0);
    go({ pane: undefined, task: undefined });
    if (id) setWish((last) => ({ id, turn: (last?.turn ?? 0) + 1 }));
  };
  useShortcuts("Run", [
    { keys: "t", label: "Timeline", run: () => go({ view: undefined }) },
    { keys: "v", label: "Table of tasks", run: () => go({ view: "table" }) },
    { keys: "l", label: "Logs", run: () => go({ pane: undefined }) },
    { keys: "p", label: "Parameters", run: () => go({ pane: "parameters" }) },
    { keys: "h", label: "State history", run: () => go({ pane: "history" }) },
    {
      keys: "Shift R",
      label: "Run again…",
      run: () => void navigate({ to: "/flows/$flowId/run", params: { flowId: run.flow.id }, search: { from: run.id } }),
    },
    ...(canStop(run.state.type) ? [{ keys: "Shift S", label: "Stop…", run: () => setStopping(true) }] : []),
  ]);
  return (
    <div className="page page-full run-page">
      <RunHeader run={run} onStop={() => setStopping(true)} />
      <Announcer run={run} />
      <CauseCard run={run} showInLog={showInLog} />
      <div className="split">
        <Structure run={run} search={search} go={go} />
        <Detail run={run} search={search} go={go} wish={wish} />
      </div>
      <StopDialog run={stopping ? run : null} onClose={() => setStopping(false)} />
    </div>
  );
}

/** Says once, to those who can't see it, that the run reached its end. */
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

interface PaneProps {
  run: Run;
  search: RunSearch;
  go: (change: Partial<RunSearch>) => void;
}

function useTasks(run: Run) {
  const query = useInfiniteQuery(taskRunsQuery(run.id));
  const { hasNextPage, isFetching, fetchNextPage, data } = query;
  const pages = data?.pages.length ?? 0;
  useEffect(() => {
    if (hasNextPage && !isFetching && pages < MOST_PAGES) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage, pages]);
  const tasks = useMemo(
    () => withoutPlumbing(data?.pages.flatMap((page) => page.items) ?? [], run.version.tasks),
    [data, run.version.tasks],
  );
  const order = useMemo(() => run.version.tasks.map((task) => task.slug), [run.version.tasks]);
  return { query, tasks, order, isCut: hasNextPage && pages >= MOST_PAGES };
}

function Structure({ run, search, go }: PaneProps) {
  const { query, tasks, order, isCut } = useTasks(run);
  const [expanded, setExpanded] = useState<ReadonlySet<string>>(
    () => new Set(run.cause?.taskSlug ? [run.cause.taskSlug] : []),
  );
  const select = (selection: string) => go({ task: selection === search.task ? undefined : selection });
  const toggle = (slug: string) =>
    setExpanded((open) => {
      const next = new Set(open);
      if (!next.delete(slug)) next.add(slug);
      return next;
    });
  return (
    <section className="card pane" aria-label="Tasks">
      <div className="pane-head">
        <nav className="tabs" aria-label="Views of the tasks">
          <Tab label="Timeline" isCurrent={search.view !== "table"} onPress={() => go({ view: undefined })} />
          <Tab label="Table" isCurrent={search.view === "table"} onPress={() => go({ view: "table" })} />
        </nav>
        <span className="spring" />
        {isCut && <span className="muted">The first {tasks.length.toLocaleString("en")} task runs</span>}
        {familyCounts(tasks).map((one) => (
          <span key={one.family} className={`pill family-${one.family}`} title={`${one.count} ${one.word}`}>
            <StateIcon look={one} />
            <span className="number">{one.count.toLocaleString("en")}</span>
            <span className="unseen">{one.word}</span>
          </span>
        ))}
      </div>
      {query.isPending ? (
        <Skeleton rows={10} label="the tasks" />
      ) : query.isError && tasks.length === 0 ? (
        <Failure error={query.error} retry={() => void query.refetch()} what="The tasks" />
      ) : tasks.length === 0 ? (
        <Empty title={isTerminal(run.state.type) ? "No task ran." : "Tasks appear when the run starts."} />
      ) : search.view === "table" ? (
        <TaskTable tasks={tasks} order={order} selected={search.task ?? ""} onSelect={select} />
      ) : (
        <Timeline
          tasks={tasks}
          order={order}
          startTime={run.startTime}
          endTime={run.endTime}
          selected={search.task ?? ""}
          expanded={expanded}
          onToggle={toggle}
          onSelect={select}
        />
      )}
    </section>
  );
}

function Tab({ label, isCurrent, onPress }: { label: string; isCurrent: boolean; onPress: () => void }) {
  return (
    <Button className="tab" aria-current={isCurrent ? "page" : undefined} onPress={onPress}>
      {label}
    </Button>
  );
}

function Detail({ run, search, go, wish }: PaneProps & { wish: { id: number; turn: number } | null }) {
  const isLive = !isTerminal(run.state.type);
  const task = useMemo(() => (search.task ? parseSelection(search.task) : null), [search.task]);
  return (
    <section className="card pane" aria-label="Details">
      <div className="pane-head">
        <nav className="tabs" aria-label="Details of the run">
          <Tab label="Logs" isCurrent={!search.pane} onPress={() => go({ pane: undefined })} />
          <Tab label="Parameters" isCurrent={search.pane === "parameters"} onPress={() => go({ pane: "parameters" })} />
          <Tab label="State history" isCurrent={search.pane === "history"} onPress={() => go({ pane: "history" })} />
        </nav>
      </div>
      {search.task && !search.pane && (
        <SelectedTask run={run} selection={search.task} onClear={() => go({ task: undefined })} />
      )}
      {search.pane === "parameters" ? (
        <ParametersPanel run={run} />
      ) : search.pane === "history" ? (
        <StateHistory run={run} />
      ) : (
        <LogViewer
          key={search.task ?? ""}
          flowRunId={run.id}
          task={task}
          place={openAt(run, search.task)}
          isLive={isLive}
          errorCount={run.errorCount}
          wish={wish}
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

function SelectedTask({ run, selection, onClear }: { run: Run; selection: string; onClear: () => void }) {
  const { tasks } = useTasks(run);
  const task = tasks.find((one: TaskRun) => selectionOf(one.taskSlug, one.mapIndex) === selection);
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
          {task.state.type === "FAILED" && (
            <span className="mono text-failed clip" title={task.state.message}>
              {task.state.message}
            </span>
          )}
        </>
      )}
      <span className="spring" />
      <Button className="button small quiet" onPress={onClear}>
        All tasks ✕
      </Button>
    </div>
  );
}
