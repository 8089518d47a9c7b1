"""`python -m tests.chaos.outage [--seconds 600] [--runs 20] [--lines 50000] [--postgres]`: the server is killed and stays away while runs go on,
half of which end meanwhile. Nothing that they report is lost, none is ended by us, and soon after the return all of it is there (P10).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from appliance.client import flow_runs
from appliance.client.transport import Transport
from appliance.kit import clock
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from tests import process_guard
from tests.chaos.faults import Postgres
from tests.chaos.flows import PARTS
from tests.chaos.healthy import PRODUCTION
from tests.chaos.judge import Verdict, judge
from tests.chaos.run import check_deaths
from tests.chaos.site import Site
from tests.e2e.appliance_process import TOKEN, until

CAUGHT_UP = 60.0
"""Seconds from the return of the server until everything is there."""
SHORTER, LONGER = 0.8, 1.02
"""How long the two halves of the runs last, in proportion to the outage."""


def outage(
    directory: Path,
    *,
    seconds: float,
    runs: int,
    lines: int,
    settings: Mapping[str, str] = PRODUCTION,
    postgres: bool = False,
) -> Verdict:
    """The server is away for so many seconds, in which each run logs most of its lines. The agent and the services stay."""
    with ExitStack() as stack:
        server = Postgres(directory / "postgres") if postgres else None
        if server is not None:
            stack.callback(server.close)
        site = Site(directory, directory / "data", server.url if server else "", settings, capacity=runs + 4)
        stack.callback(site.close)
        site.open()
        api = stack.enter_context(Transport(f"http://127.0.0.1:{site.port}", TOKEN, tries=100))
        database = site.database()
        stack.callback(database.dispose)
        made = [_create(api, lines, seconds * (SHORTER, LONGER)[number % 2]) for number in range(runs)]
        until("all runs are at work", lambda: all(flow_runs.get(api, run).state == "Running" for run in made), 120)
        site.kill("server")
        time.sleep(seconds)  # the outage
        site.start("server")
        back = time.monotonic()
        until("the server is back", lambda: flow_runs.get(api, made[0]), 60)
        began = time.monotonic()
        until("all is there", lambda: _is_there(database, made, lines), 10 * CAUGHT_UP)
        verdict = Verdict()
        verdict.counts["seconds until all was there"] = round(time.monotonic() - began)
        verdict.counts["CPU seconds of the server until then"] = round(site.cpu_seconds("server"))
        verdict.counts["seconds of the server's start"] = round(began - back)
        if time.monotonic() - began > CAUGHT_UP:
            verdict.broken("P10", f"only {time.monotonic() - began:.0f} s after the return, all was there")
        site.come_to_rest()
        found = judge(database, clock.now(), ledger=site.ledger)
        verdict.counts.update(found.counts)
        verdict.violations += found.violations
        check_deaths(verdict, database, {})
        for run in made:
            _check(verdict, api, database, run, lines)
    return verdict


def _create(api: Transport, lines: int, seconds: float) -> UUID:
    parameters = {"lines": lines // PARTS, "pause": seconds / PARTS}
    return flow_runs.create(api, CreateFlowRun(project="chaos", flow="speaks", parameters=parameters)).id


def _is_there(database: Database, runs: list[UUID], lines: int) -> bool:
    table, log = metadata.tables["flow_run"], metadata.tables["log"]
    with database.read() as session:
        ended = session.execute(select(table.c.id).where(table.c.id.in_(runs), table.c.end_time.is_not(None))).all()
        last = select(log.c.id).where(log.c.flow_run_id.in_(runs), log.c.message == f"line {lines - 1}")
        return len(ended) == len(runs) and len(session.execute(last).all()) >= len(runs)


def _check(verdict: Verdict, api: Transport, database: Database, run: UUID, lines: int) -> None:
    """Each line once and in order, and each task succeeded in the first attempt."""
    view = flow_runs.get(api, run)
    if (view.state, view.attempt) != ("Success", 1):
        verdict.broken("P10", f"run {run} is {view.state} in attempt {view.attempt}: {view.state_message}")
    tasks = [task for task in flow_runs.task_runs(api, run) if task.task_slug.startswith("speak")]
    if len(tasks) != PARTS or {task.state for task in tasks} != {"Success"}:
        verdict.broken("P10", f"run {run} has {len(tasks)} tasks in {sorted({task.state for task in tasks})}")
    log = metadata.tables["log"]
    query = select(log.c.message).where(log.c.flow_run_id == run, log.c.message.like("line %")).order_by(log.c.id)
    with database.read() as session:
        found = list(session.scalars(query))
    if found != [f"line {number}" for number in range(lines)]:
        verdict.broken("P10", f"run {run} has {len(found)} lines, {len(set(found))} different ones, of {lines}")
    verdict.counts["lines"] += len(found)


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.chaos.outage", description=__doc__)
    options.add_argument("--seconds", type=float, default=600.0, help="how long the server is away")
    options.add_argument("--runs", type=int, default=20)
    options.add_argument("--lines", type=int, default=50_000, help="how many lines each run logs")
    options.add_argument("--postgres", action="store_true", help="on a Postgres of its own instead of SQLite")
    given = options.parse_args()
    process_guard.watch()
    directory = process_guard.marked_directory("appliance-chaos-")
    verdict = outage(directory, seconds=given.seconds, runs=given.runs, lines=given.lines, postgres=given.postgres)
    print(verdict)
    print("verdict: " + (f"BROKEN; everything lies in {directory}" if verdict.violations else "clean"))
    if not verdict.violations:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
