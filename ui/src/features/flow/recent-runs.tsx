import { Link } from "@tanstack/react-router";
import { useCallback, useRef, useState } from "react";
import { Button } from "react-aria-components";
import type { RunRow } from "../../api/flow-runs";
import type { Flow } from "../../api/flows";
import { OF_FLOW } from "../../lib/run-columns";
import { quoted } from "../../lib/run-query";
import { canStop } from "../../lib/states";
import { Empty } from "../../ui/notice";
import { RunsTable } from "../runs/runs-table";
import { StopDialog } from "../runs/stop-dialog";
import { useWriting } from "../session/permissions";

export function RecentRuns({ flow }: { flow: Flow }) {
  const [stopping, setStopping] = useState<RunRow | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const writing = useWriting();
  const onNearEnd = useCallback(() => {}, []);
  return (
    <section className="card flow-runs" aria-labelledby="recent">
      <div className="card-head">
        <h2 id="recent">Recent runs</h2>
        <span className="spring" />
        <Link to="/runs" search={{ q: `flow:${quoted(`${flow.project.name}/${flow.name}`)}` }} className="muted">
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
            columns={OF_FLOW}
            actions={(run) =>
              writing.allowed &&
              canStop(run.state.type) && (
                <Button
                  className="button small quiet above"
                  aria-label={`Stop ${run.name}`}
                  onPress={() => setStopping(run)}
                >
                  Stop…
                </Button>
              )
            }
          />
        )}
      </section>
      <StopDialog run={stopping} onClose={() => setStopping(null)} />
    </section>
  );
}
