import { Link, useSearch } from "@tanstack/react-router";
import { useMemo, useRef } from "react";
import type { Flow } from "../../api/flows";
import { useFlow } from "../../features/flow/use-flow";
import { RunsTable } from "../../features/runs/runs-table";
import { useRunList } from "../../features/runs/use-run-list";
import { useStopAction } from "../../features/runs/use-stop-action";
import { OF_FLOW } from "../../lib/run-columns";
import { formerQuery, parseRunView, SHOWS, withShow } from "../../lib/run-filter";
import { quoted } from "../../lib/run-query";
import { Empty, Failure, Skeleton } from "../../ui/notice";

export function FlowRuns() {
  const flow = useFlow();
  return flow && <Runs flow={flow} />;
}

function Runs({ flow }: { flow: Flow }) {
  const { show } = useSearch({ from: "/app/flows/$flowId/runs" });
  const view = useMemo(() => parseRunView({ q: formerQuery({ show, flow: flow.id }) }), [show, flow.id]);
  const shown = SHOWS.find(({ id }) => id === show)?.id ?? "all";
  const box = useRef<HTMLDivElement>(null);
  const { query, all, count, onNearEnd } = useRunList(view, box);
  const { actions, dialog } = useStopAction();
  return (
    <section className="card flow-runs" aria-labelledby="runs">
      <div className="card-head">
        <h2 id="runs">Runs</h2>
        <nav className="flow-shows" aria-label="States of the runs">
          {SHOWS.map(({ id, label }) => (
            <Link
              key={id}
              to="/flows/$flowId/runs"
              params={{ flowId: flow.id }}
              search={id === "all" ? {} : { show: id }}
              replace
              className="flow-tab"
              activeOptions={{ exact: true }}
            >
              {label}
            </Link>
          ))}
        </nav>
        <span className="spring" />
        <Link
          to="/runs"
          search={{ q: withShow(`flow:${quoted(`${flow.project.name}/${flow.name}`)}`, shown) }}
          className="muted"
        >
          Select many
        </Link>
      </div>
      <section className="table-box" ref={box} aria-label="Runs of this flow" tabIndex={0}>
        {query.isPending ? (
          <Skeleton rows={16} label="runs" />
        ) : query.isError && !query.data ? (
          <Failure error={query.error} retry={() => void query.refetch()} what="The runs" />
        ) : all.length === 0 ? (
          <Empty title={shown === "all" ? "This flow has not run yet." : "No run of this flow is in such a state."} />
        ) : (
          <RunsTable
            runs={all}
            box={box}
            total={count.total}
            current={-1}
            onNearEnd={onNearEnd}
            columns={OF_FLOW}
            actions={actions}
          />
        )}
      </section>
      {dialog}
    </section>
  );
}
