import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { Button } from "react-aria-components";
import { type FlowRow, flowsQuery } from "../api/flows";
import { useWriting } from "../features/permissions";
import { lookOf } from "../lib/states";
import { Countdown, Instant } from "../ui/instant";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { useShortcuts } from "../ui/shortcuts";
import { StatePill } from "../ui/state-pill";
import { Strip } from "../ui/strip";

const TYPING_PAUSE = 250;

export function FlowsPage() {
  usePageTitle("Flows");
  const { q = "" } = useSearch({ from: "/app/flows" });
  const navigate = useNavigate();
  const [text, setText] = useState(q);
  const [current, setCurrent] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const query = useInfiniteQuery({ ...flowsQuery(q), placeholderData: keepPreviousData });
  const flows = query.data?.pages.flatMap((page) => page.items) ?? [];
  useEffect(() => {
    const timer = window.setTimeout(() => {
      if (text.trim() !== q) void navigate({ to: "/flows", search: { q: text.trim() || undefined }, replace: true });
    }, TYPING_PAUSE);
    return () => window.clearTimeout(timer);
  }, [text, q, navigate]);
  const flowAt = () => flows[current];
  useShortcuts("Flows", [
    { keys: "/", label: "Search", run: () => input.current?.focus() },
    { keys: "j", label: "Next flow", run: () => setCurrent((at) => Math.min(flows.length - 1, at + 1)) },
    { keys: "k", label: "Previous flow", run: () => setCurrent((at) => Math.max(0, at - 1)) },
    {
      keys: "Enter",
      label: "Open the flow",
      run: () => {
        const flow = flowAt();
        if (flow) void navigate({ to: "/flows/$flowId", params: { flowId: flow.id } });
      },
    },
    {
      keys: "n",
      label: "Run the flow…",
      run: () => {
        const flow = flowAt();
        if (flow) void navigate({ to: "/flows/$flowId/run", params: { flowId: flow.id } });
      },
    },
  ]);
  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>Flows</h1>
        <span className="muted number">{query.data && `${flows.length}${query.hasNextPage ? "+" : ""}`}</span>
      </div>
      <div className="filter-bar">
        <input
          ref={input}
          className="input filter-input"
          type="search"
          aria-label="Search flows by name"
          placeholder="Search by name"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      <div className={`card table-card ${query.isPlaceholderData ? "dimmed" : ""}`}>
        <section className="table-box" aria-label="Flows" tabIndex={0}>
          {query.isPending ? (
            <Skeleton rows={12} label="flows" />
          ) : query.isError && flows.length === 0 ? (
            <Failure error={query.error} retry={() => void query.refetch()} what="The flows" />
          ) : flows.length === 0 ? (
            <NoFlows q={q} clear={() => setText("")} />
          ) : (
            <FlowsTable flows={flows} current={current} />
          )}
          {query.hasNextPage && (
            <div className="row center">
              <Button
                className="button"
                isPending={query.isFetchingNextPage}
                onPress={() => void query.fetchNextPage()}
              >
                Show more flows
              </Button>
            </div>
          )}
        </section>
      </div>
    </div>
  );
}

function NoFlows({ q, clear }: { q: string; clear: () => void }) {
  if (q) {
    return (
      <Empty
        title={`No flow's name contains “${q}”.`}
        action={
          <Button className="button" onPress={clear}>
            Show all flows
          </Button>
        }
      />
    );
  }
  return (
    <Empty title="No flows yet.">
      A flow is a Python file with tasks. Register one from where it lies:
      <pre className="mono command">appliance register flows.py --project my-project</pre>
    </Empty>
  );
}

function FlowsTable({ flows, current }: { flows: readonly FlowRow[]; current: number }) {
  return (
    <table className="table flows-table">
      <colgroup>
        <col className="col-flow" />
        <col className="col-project" />
        <col className="col-strip" />
        <col className="col-state" />
        <col />
        <col className="col-next" />
        <col className="col-version" />
        <col className="col-action" />
      </colgroup>
      <thead>
        <tr>
          <th scope="col">Flow</th>
          <th scope="col">Project</th>
          <th scope="col">Last 30 runs</th>
          <th scope="col">Last state</th>
          <th scope="col">Schedule</th>
          <th scope="col">Next run</th>
          <th scope="col" className="right">
            Version
          </th>
          <th scope="col">
            <span className="unseen">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {flows.map((flow, index) => (
          <FlowLine key={flow.id} flow={flow} isCurrent={index === current} />
        ))}
      </tbody>
    </table>
  );
}

function FlowLine({ flow, isCurrent }: { flow: FlowRow; isCurrent: boolean }) {
  const writing = useWriting();
  const latest = flow.recentRuns[0];
  return (
    <tr className={isCurrent ? "row-current" : ""}>
      <td className="cell-flow strong">
        <Link to="/flows/$flowId" params={{ flowId: flow.id }} className="row-link">
          {flow.name}
        </Link>
      </td>
      <td className="cell-project muted">{flow.project.name}</td>
      <td className="cell-strip">
        <Strip runs={flow.recentRuns} />
      </td>
      <td className="cell-last">
        {latest && (
          <Link
            to="/runs/$runId"
            params={{ runId: latest.id }}
            className="above"
            aria-label={`Last run ${latest.name}: ${lookOf(latest.state).word}`}
          >
            <StatePill look={lookOf(latest.state)} />
          </Link>
        )}
      </td>
      <td className="muted cell-schedule">{scheduleWords(flow)}</td>
      <td className="cell-next number">
        {flow.nextRun && (
          <>
            <Instant at={flow.nextRun.scheduledTime} />{" "}
            <span className="muted">
              <Countdown at={flow.nextRun.scheduledTime} />
            </span>
          </>
        )}
      </td>
      <td className="cell-version right number muted">v{flow.version.number}</td>
      <td className="cell-action">
        {writing.allowed && (
          <Link
            to="/flows/$flowId/run"
            params={{ flowId: flow.id }}
            className="button small above"
            aria-label={`Run ${flow.name}`}
          >
            Run…
          </Link>
        )}
      </td>
    </tr>
  );
}

function scheduleWords(flow: FlowRow): string {
  const active = flow.schedules.filter((schedule) => schedule.active);
  const first = active[0];
  if (!first) return flow.schedules.length > 0 ? "Paused" : "";
  return active.length > 1 ? `${first.description}, and ${active.length - 1} more` : first.description;
}
