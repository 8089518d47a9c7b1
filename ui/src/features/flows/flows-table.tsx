import { Link } from "@tanstack/react-router";
import type { FlowRow } from "../../api/flows";
import { lookOf } from "../../lib/states";
import { Countdown, Instant } from "../../ui/instant";
import { StatePill } from "../../ui/state-pill";
import { Strip } from "../../ui/strip";
import { useWriting } from "../session/permissions";
import "./flows.css";

export function FlowsTable({ flows, current }: { flows: readonly FlowRow[]; current: number }) {
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
        {flow.paused && <span className="mark">Paused</span>}
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
            aria-label={`Last run ${flow.strip.names[0]}: ${lookOf(latest.state).word}`}
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
        {writing.allowed && !flow.archived && (
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
