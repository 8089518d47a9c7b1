/** The same as the chart of durations, as a table: newest first. */

import { Link } from "@tanstack/react-router";
import type { TrendPoint } from "../../lib/duration-trend";
import { lookOf } from "../../lib/states";
import { formatDuration } from "../../lib/time";
import { Instant } from "../../ui/instant";
import { StatePill } from "../../ui/state-pill";

export function TrendTable({ points }: { points: readonly TrendPoint[] }) {
  return (
    <section className="trend-table" aria-label="Durations as a table" tabIndex={0}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Run</th>
            <th scope="col">Started</th>
            <th scope="col">Version</th>
            <th scope="col" className="right">
              Duration
            </th>
          </tr>
        </thead>
        <tbody>
          {[...points].reverse().map(({ run }) => (
            <tr key={run.id}>
              <td>
                <StatePill look={lookOf({ type: run.stateType, name: run.stateName })} />
              </td>
              <td>
                <Link to="/runs/$runId" params={{ runId: run.id }}>
                  {run.name}
                </Link>
              </td>
              <td className="number">
                <Instant at={run.startTime} />
              </td>
              <td className="number">{run.version}</td>
              <td className="right number">{formatDuration((run.seconds ?? 0) * 1000)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
