import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { jobQuery } from "../api/jobs";
import { JobView } from "../features/jobs/job-view";
import { jobState, jobTitle } from "../lib/jobs";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";

export function JobPage() {
  const { jobId } = useParams({ from: "/app/jobs/$jobId" });
  const query = useQuery(jobQuery(jobId));
  const job = query.data;
  usePageTitle(job ? jobTitle(job) : "Job", job ? jobState(job.state).family : undefined);
  if (query.isPending) return <Skeleton rows={8} label="the job" />;
  if (!job && query.isError) return <Failure error={query.error} retry={() => void query.refetch()} what="The job" />;
  if (!job) {
    return (
      <Empty
        title="There is no job with this ID."
        isPage
        action={
          <Link to="/jobs" className="button primary">
            Go to jobs
          </Link>
        }
      >
        Jobs are deleted 30 days after they end.
      </Empty>
    );
  }
  return <JobView job={job} />;
}
