"""Follows a job on the terminal until it ends."""

from __future__ import annotations

import sys
import threading

import click

from appliance.cli.output import echo, print_json
from appliance.client import errors, jobs
from appliance.client.transport import Transport
from appliance.kit import backoff
from appliance.protocol.jobs import OVER, JobView

_POLL_SECONDS = 0.5
_MAX_REFUSALS = 10


def finish(transport: Transport, job: JobView, json_output: bool, wait: bool) -> int:
    """Follow the job if `wait` is set, print its result, and return the exit code: 1 if it failed or all of it was refused."""
    if wait and job.state not in OVER:
        job = follow(transport, job, quiet=json_output)
    if json_output:
        print_json(job)
    else:
        _print(job)
    return int(job.state == "failed" or (job.state == "done" and job.done == 0 and job.refused > 0))


def follow(transport: Transport, job: JobView, *, quiet: bool) -> JobView:
    """Show a progress bar until the job ends. Keeps trying while the server can't be reached."""
    pause, away, is_away = threading.Event(), backoff.delays(0.5, 5.0), False
    with click.progressbar(length=job.total, label=f"{job.kind} {job.id}", file=sys.stderr, hidden=quiet) as bar:
        bar.update(job.done + job.refused)
        while job.state not in OVER:
            pause.wait(_POLL_SECONDS)
            before = job.done + job.refused
            try:
                job = jobs.get(transport, job.id)
            except errors.PASSING as error:
                if not is_away:
                    echo(f"Waiting for the server: {error}", err=True)
                is_away = True
                pause.wait(next(away))
                continue
            is_away = False
            bar.update(job.done + job.refused - before)
    return job


def _print(job: JobView) -> None:
    refused = f", {job.refused} unchanged" if job.refused else ""
    echo(f"{job.state.capitalize()}: {job.done} of {job.total}{refused}. {job.message}".rstrip())
    for refusal in job.refusals[:_MAX_REFUSALS]:
        echo(f"  {refusal.id}: {refusal.reason}", err=True)
    if job.state not in OVER:
        echo(f"Run `appliance job show {job.id}` to see its progress.")
