import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { isOver, jobsQuery } from "../api/jobs";
import { JobPill } from "../features/jobs/job-pill";
import { countsInWords, jobTitle } from "../lib/jobs";
import { BusyButton } from "../ui/busy-button";
import { Elapsed, Instant } from "../ui/instant";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";

export function JobsPage() {
  usePageTitle("Jobs");
  const query = useInfiniteQuery(jobsQuery);
  const jobs = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>Jobs</h1>
        <span className="muted">changes to many runs at once; kept for 30 days</span>
      </div>
      <div className="card table-card">
        <section className="table-box" aria-label="Jobs" tabIndex={0}>
          {query.isPending ? (
            <Skeleton rows={10} label="jobs" />
          ) : query.isError && !query.data ? (
            <Failure error={query.error} retry={() => void query.refetch()} what="The jobs" />
          ) : jobs.length === 0 ? (
            <Empty
              title="No jobs yet."
              action={
                <Link to="/runs" className="button primary">
                  Go to runs
                </Link>
              }
            >
              Select runs in the list to change many at once, or backfill a schedule on its flow's page.
            </Empty>
          ) : (
            <table className="table wrap-table jobs-table">
              <thead>
                <tr>
                  <th scope="col">State</th>
                  <th scope="col">Job</th>
                  <th scope="col">Progress</th>
                  <th scope="col">Created</th>
                  <th scope="col" className="right">
                    Duration
                  </th>
                  <th scope="col">By</th>
                </tr>
              </thead>
              <tbody>
                {jobs.map((job) => (
                  <tr key={job.id}>
                    <td>
                      <JobPill job={job} />
                    </td>
                    <td className="strong">
                      <Link to="/jobs/$jobId" params={{ jobId: job.id }} className="row-link">
                        {jobTitle(job)}
                      </Link>
                    </td>
                    <td className="number">{countsInWords(job)}</td>
                    <td className="number">
                      <Instant at={job.created} />
                    </td>
                    <td className="right">
                      <Elapsed start={job.created} end={isOver(job) ? job.updated : null} />
                    </td>
                    <td className="muted">{job.createdBy}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </section>
        {query.hasNextPage && (
          <div className="row center">
            <BusyButton className="button" isBusy={query.isFetchingNextPage} onPress={() => void query.fetchNextPage()}>
              Show older jobs
            </BusyButton>
          </div>
        )}
      </div>
    </div>
  );
}
