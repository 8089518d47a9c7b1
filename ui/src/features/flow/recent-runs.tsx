import { Link } from "@tanstack/react-router";
import { useCallback, useRef } from "react";
import type { Flow } from "../../api/flows";
import { OF_FLOW } from "../../lib/run-columns";
import { Empty } from "../../ui/notice";
import { RunsTable } from "../runs/runs-table";
import { useStopAction } from "../runs/use-stop-action";

const MOST = 10;

export function RecentRuns({ flow }: { flow: Flow }) {
  const box = useRef<HTMLDivElement>(null);
  const { actions, dialog } = useStopAction();
  const onNearEnd = useCallback(() => {}, []);
  return (
    <section className="card flow-runs" aria-labelledby="recent">
      <div className="card-head">
        <h2 id="recent">Recent runs</h2>
        <span className="spring" />
        <Link to="/flows/$flowId/runs" params={{ flowId: flow.id }} className="muted">
          All runs of this flow
        </Link>
      </div>
      <section className="table-box" ref={box} aria-label="Runs of this flow" tabIndex={0}>
        {flow.recentRuns.length === 0 ? (
          <Empty title="This flow has not run yet.">Start it with Run…, or wait for its schedule.</Empty>
        ) : (
          <RunsTable
            runs={flow.recentRuns.slice(0, MOST)}
            box={box}
            total={Math.min(MOST, flow.recentRuns.length)}
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
