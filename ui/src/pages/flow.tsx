import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useCallback, useRef, useState } from "react";
import { Button } from "react-aria-components";
import type { RunRow } from "../api/flow-runs";
import { type Flow, flowQuery } from "../api/flows";
import { useWriting } from "../features/permissions";
import { RunsTable } from "../features/runs-table";
import { ScheduleList } from "../features/schedules/schedule-list";
import { StopDialog } from "../features/stop-dialog";
import { lookOf } from "../lib/states";
import { Countdown, Instant } from "../ui/instant";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { useShortcuts } from "../ui/shortcuts";
import { StatePill } from "../ui/state-pill";
import { Strip } from "../ui/strip";
import "../ui/flow.css";

export function FlowPage() {
  const { flowId } = useParams({ from: "/app/flows/$flowId" });
  const query = useQuery(flowQuery(flowId));
  usePageTitle(query.data?.name ?? "Flow");
  if (query.isPending) return <Skeleton rows={20} label="the flow" />;
  if (!query.data && query.isError)
    return <Failure error={query.error} retry={() => void query.refetch()} what="The flow" />;
  if (!query.data) return <NoFlow />;
  return <FlowView flow={query.data} />;
}

export function NoFlow() {
  return (
    <Empty
      title="There is no flow with this id."
      isPage
      action={
        <Link to="/flows" className="button primary">
          Go to flows
        </Link>
      }
    >
      It may have been deleted, or the link was cut short.
    </Empty>
  );
}

function FlowView({ flow }: { flow: Flow }) {
  const writing = useWriting();
  const navigate = useNavigate();
  useShortcuts("Flow", [
    { keys: "n", label: "Run…", run: () => void navigate({ to: "/flows/$flowId/run", params: { flowId: flow.id } }) },
  ]);
  const latest = flow.recentRuns[0];
  return (
    <div className="page flow-page">
      <header className="run-head">
        <nav className="crumbs" aria-label="Breadcrumb">
          <Link to="/flows">Flows</Link>
          <span aria-hidden="true">/</span>
          <span>{flow.project.name}</span>
          <span aria-hidden="true">/</span>
          <span aria-current="page">{flow.name}</span>
        </nav>
        <div className="run-head-line">
          <h1>{flow.name}</h1>
          {latest && <StatePill look={lookOf(latest.state)} />}
          <Strip runs={flow.recentRuns} />
          {flow.nextRun && (
            <span className="muted number">
              next <Instant at={flow.nextRun.scheduledTime} />, <Countdown at={flow.nextRun.scheduledTime} />
            </span>
          )}
          <span className="spring" />
          {writing.allowed ? (
            <Link to="/flows/$flowId/run" params={{ flowId: flow.id }} className="button primary">
              Run…
            </Link>
          ) : (
            <span title={writing.reason}>
              <Button className="button" isDisabled>
                Run…
              </Button>
            </span>
          )}
        </div>
      </header>
      <div className="flow-grid">
        <RecentRuns flow={flow} />
        <div className="flow-side">
          <section className="card" aria-labelledby="schedules">
            <div className="card-head">
              <h2 id="schedules">Schedules</h2>
            </div>
            <ScheduleList schedules={flow.schedules} />
          </section>
          <VersionCard flow={flow} />
          <ParametersCard flow={flow} />
          <TasksCard flow={flow} />
        </div>
      </div>
    </div>
  );
}

function RecentRuns({ flow }: { flow: Flow }) {
  const [stopping, setStopping] = useState<RunRow | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const writing = useWriting();
  const onNearEnd = useCallback(() => {}, []);
  return (
    <section className="card flow-runs" aria-labelledby="recent">
      <div className="card-head">
        <h2 id="recent">Recent runs</h2>
        <span className="spring" />
        <Link to="/runs" search={{ flow: flow.id }} className="muted">
          All runs of this flow
        </Link>
      </div>
      <section className="table-box" ref={box} aria-label="Runs of this flow" tabIndex={0}>
        {flow.recentRuns.length === 0 ? (
          <Empty title="This flow has not run yet.">Start it with Run…, or wait for its schedule.</Empty>
        ) : (
          <RunsTable
            runs={flow.recentRuns}
            box={box}
            total={flow.recentRuns.length}
            current={-1}
            onNearEnd={onNearEnd}
            onStop={writing.allowed ? setStopping : null}
            isCompact
          />
        )}
      </section>
      <StopDialog run={stopping} onClose={() => setStopping(null)} />
    </section>
  );
}

function VersionCard({ flow }: { flow: Flow }) {
  const { version } = flow;
  return (
    <section className="card" aria-labelledby="version">
      <div className="card-head">
        <h2 id="version">Version {version.number}</h2>
      </div>
      <dl className="pairs">
        <dt>Registered</dt>
        <dd>
          <Instant at={version.created} />
          {version.createdBy && ` by ${version.createdBy}`}
        </dd>
        <dt>Tasks</dt>
        <dd>
          {version.tasks.length}, {version.edges.length} edges
        </dd>
        {version.labels.length > 0 && (
          <>
            <dt>Labels</dt>
            <dd>{version.labels.join(", ")}</dd>
          </>
        )}
        {version.sdkVersion && (
          <>
            <dt>SDK</dt>
            <dd>{version.sdkVersion}</dd>
          </>
        )}
      </dl>
    </section>
  );
}

function typeOf(schema: Record<string, unknown>): string {
  if (typeof schema.format === "string") return schema.format;
  if (Array.isArray(schema.enum)) return "choice";
  if (typeof schema.type === "string") return schema.type;
  const options = schema.anyOf as { type?: string }[] | undefined;
  return options?.map((option) => option.type ?? "any").join(" or ") ?? "any";
}

function ParametersCard({ flow }: { flow: Flow }) {
  const { parameters } = flow.version;
  return (
    <section className="card" aria-labelledby="parameters">
      <div className="card-head">
        <h2 id="parameters">Parameters</h2>
      </div>
      {parameters.length === 0 ? (
        <Empty title="No parameters." />
      ) : (
        <table className="table wrap-table">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Type</th>
              <th scope="col">Default</th>
            </tr>
          </thead>
          <tbody>
            {parameters.map((parameter) => (
              <tr key={parameter.name}>
                <td className="strong">{parameter.name}</td>
                <td className="muted">{typeOf(parameter.schema)}</td>
                <td className="mono">
                  {parameter.required ? <span className="mark">required</span> : JSON.stringify(parameter.default)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function TasksCard({ flow }: { flow: Flow }) {
  const parameters = new Set(flow.version.parameters.map((parameter) => parameter.name));
  const tasks = flow.version.tasks.filter((task) => !task.autoGenerated && !parameters.has(task.slug));
  return (
    <section className="card" aria-labelledby="tasks">
      <div className="card-head">
        <h2 id="tasks">Tasks</h2>
      </div>
      <ul className="task-names">
        {tasks.map((task) => (
          <li key={task.slug}>
            <span className="mono">{task.slug}</span>
            <span className="muted">
              {[task.mapped && "mapped", task.maxRetries > 0 && `retries ${task.maxRetries} times`]
                .filter(Boolean)
                .join(", ")}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
