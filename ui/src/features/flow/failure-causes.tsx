/** Why a flow's last runs failed, the most frequent cause first. */

import { Link } from "@tanstack/react-router";
import type { FlowHistory } from "../../api/flows";
import { Instant } from "../../ui/instant";
import { Empty } from "../../ui/notice";

export function FailureCauses({ history }: { history: FlowHistory }) {
  const { causes, runs } = history;
  return (
    <section className="card" aria-labelledby="causes">
      <div className="card-head">
        <h2 id="causes">Why runs failed</h2>
      </div>
      {causes.length === 0 ? (
        <Empty title={runs.length === 0 ? "This flow has not run yet." : "None of the last runs failed."} />
      ) : (
        <ol className="causes">
          {causes.map((cause) => (
            <li key={`${cause.taskSlug} ${cause.fingerprint}`}>
              <span className="cause-count number">{cause.runs}×</span>
              <div>
                <p className="cause-message">{cause.message}</p>
                <p className="muted">
                  {cause.taskSlug && <span className="mono">{cause.taskSlug}</span>}
                  {cause.taskSlug && " · "}
                  <Link to="/runs/$runId" params={{ runId: cause.lastRunId }}>
                    latest run
                  </Link>
                  , <Instant at={cause.lastAt} />
                  {cause.known && <span className="mark">Known</span>}
                </p>
              </div>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
