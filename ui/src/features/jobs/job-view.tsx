/** One job: its progress, what it did not change, and a button to stop it. */

import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "react-aria-components";
import { isOver, type Job } from "../../api/jobs";
import { countsInWords, jobState, jobTitle, shareOf } from "../../lib/jobs";
import { Elapsed, Instant } from "../../ui/instant";
import { useMay, useWriting } from "../session/permissions";
import { JobPill } from "./job-pill";
import { Refusals } from "./refusals";
import { StopJob } from "./stop-job";
import "./jobs.css";

export function JobView({ job }: { job: Job }) {
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
          <span className="muted">by {job.createdBy}</span>
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
        {!over && <p className="muted">It continues when you leave this page and after the appliance restarts.</p>}
      </section>
      {job.refusals.length > 0 && <Refusals job={job} />}
      <StopJob job={job} isOpen={isStopping} onClose={() => setStopping(false)} />
    </div>
  );
}
