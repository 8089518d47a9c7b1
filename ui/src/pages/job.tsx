import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "react-aria-components";
import { cancelJob, isOver, type Job, jobQuery } from "../api/jobs";
import { jobKeys } from "../api/keys";
import { useMay, useWriting } from "../features/permissions";
import { countsInWords, jobState, jobTitle, shareOf } from "../lib/jobs";
import { isUuid } from "../lib/run-filter";
import { lookOf } from "../lib/states";
import { ConfirmDialog } from "../ui/confirm-dialog";
import { Elapsed, Instant } from "../ui/instant";
import { Empty, Failure, Skeleton } from "../ui/notice";
import { usePageTitle } from "../ui/page-title";
import { StatePill } from "../ui/state-pill";
import { toast } from "../ui/toasts";
import "../ui/jobs.css";

export function JobPage() {
  const { jobId } = useParams({ from: "/app/jobs/$jobId" });
  const query = useQuery(jobQuery(jobId));
  const job = query.data;
  usePageTitle(job ? jobTitle(job) : "Job", job ? jobState(job.state).family : undefined);
  if (query.isPending) return <Skeleton rows={8} label="the job" />;
  if (!job && query.isError && (query.error as { status?: number }).status !== 404)
    return <Failure error={query.error} retry={() => void query.refetch()} what="The job" />;
  if (!job) {
    return (
      <Empty
        title="There is no job with this id."
        isPage
        action={
          <Link to="/jobs" className="button primary">
            Go to jobs
          </Link>
        }
      >
        Jobs are forgotten thirty days after their end.
      </Empty>
    );
  }
  return <JobView job={job} />;
}

function JobView({ job }: { job: Job }) {
  const [isStopping, setStopping] = useState(false);
  const may = useMay()("runs:bulk");
  const writing = useWriting();
  const over = isOver(job);
  return (
    <div className="page">
      <header className="run-head">
        <nav className="crumbs" aria-label="Breadcrumb">
          <Link to="/jobs">Jobs</Link>
          <span aria-hidden="true">/</span>
          <span aria-current="page">{jobTitle(job)}</span>
        </nav>
        <div className="run-head-line">
          <h1>{jobTitle(job)}</h1>
          <JobPill job={job} />
          <span className="muted number">
            <Instant at={job.created} />
            {" ("}
            <Elapsed start={job.created} end={over ? job.updated : null} />
            {")"}
          </span>
          <span className="muted">by {job.created_by}</span>
          <span className="spring" />
          {!over && may && (
            <Button className="button" isDisabled={!writing.allowed} onPress={() => setStopping(true)}>
              Stop job…
            </Button>
          )}
        </div>
      </header>
      <section className="card card-body" aria-label="Progress">
        <div
          className="progress job-bar"
          role="progressbar"
          aria-label="Progress of the job"
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(shareOf(job) * 100)}
        >
          <span className={`job-bar-${jobState(job.state).family}`} style={{ width: `${shareOf(job) * 100}%` }} />
        </div>
        <p className="number" aria-live="polite">
          {countsInWords(job)}
        </p>
        {job.message && <p>{job.message}</p>}
        {typeof job.request.reason === "string" && job.request.reason && (
          <p className="muted">Reason: {job.request.reason}</p>
        )}
        {!over && <p className="muted">It goes on when you leave this page, and after a restart of the appliance.</p>}
      </section>
      {job.refusals.length > 0 && <Refusals job={job} />}
      <StopJob job={job} isOpen={isStopping} onClose={() => setStopping(false)} />
    </div>
  );
}

export function JobPill({ job }: { job: Pick<Job, "state"> }) {
  const { name, family, word } = jobState(job.state);
  return <StatePill look={{ ...lookOf({ type: "", name }), family }} text={word} />;
}

function Refusals({ job }: { job: Job }) {
  return (
    <section className="card job-refusals" aria-labelledby="refusals">
      <div className="card-head">
        <h2 id="refusals">Left as they were</h2>
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

function StopJob({ job, isOpen, onClose }: { job: Job; isOpen: boolean; onClose: () => void }) {
  const client = useQueryClient();
  const stop = useMutation({
    mutationFn: (reason: string) => cancelJob(job.id, reason),
    onSuccess: (stopped) => {
      toast(`Stopped: ${countsInWords(stopped)}.`);
      onClose();
      return client.invalidateQueries({ queryKey: jobKeys.one(job.id) });
    },
  });
  const close = () => {
    stop.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      title={`Stop “${jobTitle(job)}”?`}
      isOpen={isOpen}
      onClose={close}
      keep="Let it go on"
      confirm="Stop job"
      isDanger
      isPending={stop.isPending}
      error={stop.error}
      reasonHelp="Shown on this page."
      onConfirm={(reason) => stop.mutate(reason)}
    >
      <p className="muted">What it has done stays done; the rest is left as it is.</p>
    </ConfirmDialog>
  );
}
