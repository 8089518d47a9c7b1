"""`python -m tests.chaos.claims [--claims 10000] [--seed N] [--postgres]`: two agents of one name and token claim runs while they, the server, and runs are killed
one after the other. No attempt starts twice, no stale write is accepted, and no run fails that was left alone (P5, P7).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import time
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select

from appliance.client import flow_runs
from appliance.client.transport import Transport
from appliance.kit import clock
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from tests import process_guard
from tests.chaos.faults import Postgres
from tests.chaos.judge import Verdict, judge
from tests.chaos.run import check_deaths
from tests.chaos.site import AGENTS, Site
from tests.e2e.appliance_process import TOKEN, until

VICTIMS = (*AGENTS, *AGENTS, *AGENTS, "a run", "a run", "server")
PER_KILL = 40
"""Claims between kills."""
WAITING = 30
"""Runs that are due at a time, at most."""


def storm(directory: Path, *, claims: int, seed: int, per_kill: int = PER_KILL, postgres: bool = False) -> Verdict:
    """Until so many attempts were claimed."""
    kills, pauses = random.Random(seed), random.Random(seed)  # the number of pauses differs between machines
    killed, verdict = dict[str, datetime](), Verdict()
    with ExitStack() as stack:
        server = Postgres(directory / "postgres") if postgres else None
        if server is not None:
            stack.callback(server.close)
        site = Site(directory, directory / "data", server.url if server else "")
        stack.callback(site.close)
        site.open()
        api = stack.enter_context(Transport(f"http://127.0.0.1:{site.port}", TOKEN, tries=100))
        database = site.database()
        stack.callback(database.dispose)
        created, next_kill, waiting = 0, per_kill, min(WAITING, per_kill)  # more would be claimed between two kills
        while (number := claimed(database)) < claims:
            while created < min(claims, number + waiting):
                flow_runs.create(api, CreateFlowRun(project="chaos", flow="ticks"))
                created += 1
            time.sleep(pauses.uniform(0.05, 0.2))
            if number >= next_kill:
                _kill(site, kills.choice(VICTIMS), killed, verdict)
                next_kill = number + per_kill
        until("all runs are over", lambda: open_runs(database, clock.now()) == 0, 180)
        site.come_to_rest()
        found = judge(database, clock.now(), ledger=site.ledger)
        verdict.counts.update(found.counts)
        verdict.violations += found.violations
        check_deaths(verdict, database, killed)
        verdict.counts["claims"] = claimed(database)
    return verdict


def _kill(site: Site, victim: str, killed: dict[str, datetime], verdict: Verdict) -> None:
    """SIGKILL, and what a supervisor does then."""
    if victim == "a run":
        run, pid = min(until("a run is at work", lambda: site.runs(), 60).items())
        killed[run] = clock.now()
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, signal.SIGKILL)
    else:
        site.kill(victim)
        site.start(victim)
    verdict.counts[f"kills of {victim}"] += 1


def claimed(database: Database) -> int:
    """How many attempts were claimed so far."""
    state = metadata.tables["flow_run_state"]
    with database.read() as session:
        return session.execute(select(func.count()).where(state.c.type == "PENDING")).scalar_one()


def open_runs(database: Database, due: datetime) -> int:
    """How many runs that no schedule has made are due and not over."""
    run = metadata.tables["flow_run"]
    with database.read() as session:
        query = select(func.count()).where(
            run.c.end_time.is_(None), run.c.scheduled_time <= due, run.c.due_at.is_(None)
        )
        return session.execute(query).scalar_one()


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.chaos.claims", description=__doc__)
    options.add_argument("--claims", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=1, help="which kills")
    options.add_argument("--postgres", action="store_true", help="on a Postgres of its own instead of SQLite")
    given = options.parse_args()
    process_guard.watch()
    directory = process_guard.marked_directory("appliance-chaos-")
    verdict = storm(directory, claims=given.claims, seed=given.seed, postgres=given.postgres)
    print(verdict)
    print("verdict: " + (f"BROKEN; everything lies in {directory}" if verdict.violations else "clean"))
    if not verdict.violations:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
