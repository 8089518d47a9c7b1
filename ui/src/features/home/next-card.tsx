import { Link } from "@tanstack/react-router";
import type { NextRun } from "../../api/home";
import { readinessOf } from "../../lib/home";
import { Instant } from "../../ui/instant";
import { Card } from "./card";

/** The next planned runs, and whether they will start when they are due, as things are now. */
export function NextCard({ runs }: { runs: readonly NextRun[] }) {
  return (
    <Card title={runs.length > 0 ? `Next ${runs.length}` : "Next"}>
      {runs.length === 0 && (
        <p className="home-empty muted">No runs are planned. Give a flow a schedule to plan some.</p>
      )}
      <ul>
        {runs.map((run) => {
          const { isReady, text } = readinessOf(run.flow);
          return (
            <li key={run.id} className="home-line">
              <span className="number">
                <Instant at={run.scheduledTime} />
              </span>
              <Link to="/runs/$runId" params={{ runId: run.id }} className="clip home-grow">
                {run.flow.name}
              </Link>
              <span className={`clip ${isReady ? "text-success" : "text-attention home-reason"}`} title={text}>
                {text}
              </span>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
