import { Link } from "@tanstack/react-router";
import type { Home, RunningRun } from "../../api/home";
import { barOf, typicalOf } from "../../lib/home";
import { elapsed, formatDuration } from "../../lib/time";
import { progressOf } from "../../lib/why";
import { useNow } from "../../ui/clock";
import { Card } from "./card";

/** The longest first, each beside how long such runs typically take. */
export function RunningCard({ running }: { running: Home["running"] }) {
  const { items, total, totalCapped } = running;
  if (items.length === 0) return null;
  const more = (
    <Link to="/runs" search={{ show: "running" }} className="muted link">
      All {total.toLocaleString("en")}
      {totalCapped && "+"}
    </Link>
  );
  return (
    <Card title="Running now" note={total.toLocaleString("en")} end={total > items.length && more}>
      <table className="table home-table">
        <colgroup>
          <col className="col-flow" />
          <col className="col-run" />
          <col />
          <col className="col-typical" />
          <col className="col-agent" />
        </colgroup>
        <thead>
          <tr>
            <th scope="col">Flow</th>
            <th scope="col">Run</th>
            <th scope="col">Progress</th>
            <th scope="col">Elapsed / typical</th>
            <th scope="col">Agent</th>
          </tr>
        </thead>
        <tbody>
          {items.map((run) => (
            <Line key={run.id} run={run} />
          ))}
        </tbody>
      </table>
    </Card>
  );
}

function Line({ run }: { run: RunningRun }) {
  const now = useNow();
  const typical = typicalOf(run.flow.recentRuns);
  const bar = barOf(run, typical, now);
  const took = elapsed(run.startTime, null, now) ?? 0;
  const words = [formatDuration(Math.floor(took / 1000) * 1000), typical !== null && formatDuration(typical)];
  const tasks = progressOf({ ...run.taskCounts, success: 0, failed: 0, other: 0 });
  return (
    <tr>
      <td className="strong">
        <Link to="/flows/$flowId" params={{ flowId: run.flow.id }} className="above" preload={false}>
          {run.flow.name}
        </Link>
      </td>
      <td className="cell-run">
        <Link to="/runs/$runId" params={{ runId: run.id }} className="row-link">
          {run.name}
        </Link>
      </td>
      <td title={tasks}>
        <span className={`progress ${bar.isOver ? "progress-over" : ""}`} aria-hidden="true">
          <i style={{ width: `${bar.fill * 100}%` }} />
          {bar.tick !== null && <b style={{ left: `${bar.tick * 100}%` }} />}
        </span>
        <span className="unseen">{tasks}</span>
      </td>
      <td className={`number ${bar.isOver ? "text-attention" : ""}`}>
        {words.filter(Boolean).join(" / ")}
        {bar.isOver && <span className="unseen"> longer than usual</span>}
      </td>
      <td className="muted">{run.agent?.name}</td>
    </tr>
  );
}
