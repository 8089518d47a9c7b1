import { Link } from "@tanstack/react-router";
import type { HomeFlow } from "../../api/home";
import { successOf, typicalOf } from "../../lib/home";
import { formatDuration } from "../../lib/time";
import { Countdown, Instant } from "../../ui/instant";
import { Strip } from "../../ui/strip";
import { Card } from "./card";

export function FlowsCard({ flows, hasMore }: { flows: readonly HomeFlow[]; hasMore: boolean }) {
  const all = (
    <Link to="/flows" className="muted link">
      All flows
    </Link>
  );
  return (
    <Card title="Flows" note="last 30 runs, height is duration" end={hasMore && all}>
      <table className="table home-table">
        <colgroup>
          <col className="col-flow" />
          <col className="col-strip" />
          <col className="col-number" />
          <col className="col-duration" />
          <col />
        </colgroup>
        <thead>
          <tr>
            <th scope="col">Flow</th>
            <th scope="col">Recent runs</th>
            <th scope="col" className="right">
              Success
            </th>
            <th scope="col" className="right">
              Typical
            </th>
            <th scope="col">Next</th>
          </tr>
        </thead>
        <tbody>
          {flows.map((flow) => (
            <Line key={flow.id} flow={flow} />
          ))}
        </tbody>
      </table>
    </Card>
  );
}

function Line({ flow }: { flow: HomeFlow }) {
  const success = successOf(flow.recentRuns);
  const typical = typicalOf(flow.recentRuns);
  return (
    <tr>
      <td className="strong">
        <Link to="/flows/$flowId" params={{ flowId: flow.id }} className="row-link" title={flow.project.name}>
          {flow.name}
        </Link>
      </td>
      <td className="cell-strip">
        <Strip runs={flow.recentRuns} />
      </td>
      <td className="right number">{success !== null && `${success} %`}</td>
      <td className="right number">{typical !== null && formatDuration(typical)}</td>
      <td className="number muted">
        {flow.paused
          ? "paused"
          : flow.nextRun && (
              <>
                <Instant at={flow.nextRun.scheduledTime} /> <Countdown at={flow.nextRun.scheduledTime} />
              </>
            )}
      </td>
    </tr>
  );
}
