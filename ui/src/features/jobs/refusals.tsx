import { Link } from "@tanstack/react-router";
import type { Job } from "../../api/jobs";
import { isUuid } from "../../lib/run-filter";
import { Instant } from "../../ui/instant";

/** The runs or due times that a job did not change, and why. */
export function Refusals({ job }: { job: Job }) {
  return (
    <section className="card job-refusals" aria-labelledby="refusals">
      <div className="card-head">
        <h2 id="refusals">Not changed</h2>
        <span className="muted number">
          {job.refused > job.refusals.length
            ? `the first ${job.refusals.length} of ${job.refused.toLocaleString("en")}`
            : job.refused}
        </span>
      </div>
      <table className="table wrap-table">
        <thead>
          <tr>
            <th scope="col">{job.kind === "backfill" ? "Due time" : "Run"}</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          {job.refusals.map((refusal) => (
            <tr key={refusal.id}>
              <td className="mono nowrap">
                {isUuid(refusal.id) ? (
                  <Link to="/runs/$runId" params={{ runId: refusal.id }} className="link">
                    {refusal.id}
                  </Link>
                ) : Number.isNaN(Date.parse(refusal.id)) ? (
                  refusal.id
                ) : (
                  <Instant at={refusal.id} />
                )}
              </td>
              <td>{refusal.reason}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
