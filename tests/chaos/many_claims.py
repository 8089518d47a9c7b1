"""`python -m tests.chaos.many_claims [--claims 10000] [--seed N] [--postgres]`: four agents under two names claim runs that are over in a moment, while they and the
server are killed one after the other. No attempt starts twice, no write of an attempt that was replaced counts, and no run fails that was left alone
(P5, P7). What only real processes show is `tests.chaos.claims`, of which this is the quick form.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from appliance.client import flow_runs, run_protocol
from appliance.client.errors import ClientError
from appliance.client.transport import Transport
from appliance.kit import clock
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from tests import process_guard
from tests.chaos.claimer import last_report
from tests.chaos.claims import claimed, open_runs
from tests.chaos.faults import Postgres
from tests.chaos.judge import Verdict, judge
from tests.chaos.run import check_deaths
from tests.chaos.site import AGENTS, ROOT, Site
from tests.e2e.appliance_process import TOKEN, clean_environment, until

OTHERS = ("other", "other-2")
"""Under another name and with another token than AGENTS."""
CLAIMERS = (*AGENTS, *OTHERS)
VICTIMS = (*CLAIMERS, *CLAIMERS, "server")
PER_KILL, WAITING, CREATORS = 100, 100, 2
RUN = CreateFlowRun(project="chaos", flow="ticks")


class ClaimSite(Site):
    """Four agents whose runs are no processes, instead of two whose runs are."""

    def open(self) -> None:
        super().open()
        found = re.search(r"apl_agent_\S+", self._cli("token", "create", "other", "--scope", "agent"))
        assert found
        self._other_token = found[0]
        for name in OTHERS:
            self.start(name)

    def come_to_rest(self) -> None:
        for name in OTHERS:
            self.stop(name)
        super().come_to_rest()

    def attempts(self, name: str) -> list[tuple[UUID, int, str]]:
        """All that a process has started: run, attempt and run token."""
        path = self.directory / f"attempts-{self._processes[name].pid}"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(UUID(run), int(attempt), token) for run, attempt, token in map(str.split, lines)]

    def _command(self, name: str) -> list[str]:
        if name not in CLAIMERS:
            return super()._command(name)
        return ["-m", "tests.chaos.claimer", "other" if name in OTHERS else "chaos", str(self.directory)]

    def _environment(self, name: str) -> dict[str, str]:
        if name not in CLAIMERS:
            return super()._environment(name)
        token = self._other_token if name in OTHERS else self._agent_token
        return clean_environment(APPLIANCE_URL=self.agents.url, APPLIANCE_TOKEN=token, PYTHONPATH=str(ROOT))


def storm(directory: Path, *, claims: int, seed: int, per_kill: int = PER_KILL, postgres: bool = False) -> Verdict:
    """Until so many attempts were claimed."""
    kills, pauses = random.Random(seed), random.Random(seed)  # the number of pauses differs between machines
    killed, verdict = dict[str, datetime](), Verdict()
    dead: list[tuple[UUID, int, str]] = []
    with ExitStack() as stack:
        server = Postgres(directory / "postgres") if postgres else None
        if server is not None:
            stack.callback(server.close)
        site = ClaimSite(directory, directory / "data", server.url if server else "")
        stack.callback(site.close)
        site.open()
        api = stack.enter_context(Transport(f"http://127.0.0.1:{site.port}", TOKEN, tries=100))
        creators = stack.enter_context(ThreadPoolExecutor(CREATORS))
        database = site.database()
        stack.callback(database.dispose)
        created, next_kill, waiting = 0, per_kill, min(WAITING, per_kill)
        while (number := claimed(database)) < claims:
            wanted = max(0, min(claims, number + waiting) - created)
            made = [creators.submit(flow_runs.create, api, RUN) for _ in range(wanted)]
            created += wanted
            time.sleep(pauses.uniform(0.02, 0.1))
            if number >= next_kill:  # while runs are made, claimed and at work
                dead += _kill(site, kills.choice(VICTIMS), killed, verdict)
                next_kill = number + per_kill
            for run in made:
                run.result()
        until("all runs are over", lambda: open_runs(database, clock.now()) == 0, 180)
        _write_late(site, api, database, dead, verdict)
        site.come_to_rest()
        found = judge(database, clock.now(), ledger=site.ledger)
        verdict.counts.update(found.counts)
        verdict.violations += found.violations
        check_deaths(verdict, database, killed)
        _check_ends(verdict, database)
        verdict.counts["claims"] = claimed(database)
    return verdict


def _kill(site: ClaimSite, victim: str, killed: dict[str, datetime], verdict: Verdict) -> list[tuple[UUID, int, str]]:
    """SIGKILL, and what a supervisor does then. Returns the attempts that a killed agent had started."""
    site.kill(victim)
    attempts = site.attempts(victim) if victim in CLAIMERS else []
    killed.update((str(run), clock.now()) for run, _, _ in attempts)
    site.start(victim)
    verdict.counts[f"kills of {victim}"] += 1
    return attempts


def _write_late(
    site: ClaimSite, api: Transport, database: Database, dead: list[tuple[UUID, int, str]], verdict: Verdict
) -> None:
    """Restart the runs that died with their agents. Then the attempts that were replaced say what they had no time to say, and nobody may listen."""
    table = metadata.tables["flow_run"]
    with database.read() as session:
        crashed = list(session.scalars(select(table.c.id).where(table.c.state_name == "Crashed")))
    for run in crashed:
        if run in {of for of, _, _ in dead}:
            flow_runs.restart(api, run)
            verdict.counts["restarts"] += 1
    until("the restarted runs are over", lambda: open_runs(database, clock.now()) == 0, 180)
    for run, attempt, token in dead:
        before = flow_runs.get(api, run)
        if before.attempt == attempt:
            continue
        verdict.counts["late writes"] += 1
        with Transport(f"http://127.0.0.1:{site.port}", token, tries=1) as late:
            try:
                run_protocol.report(late, run, last_report(attempt))
                verdict.broken("P5", f"run {run} is in attempt {before.attempt}, and attempt {attempt} was heard")
            except ClientError:
                verdict.counts["late writes refused"] += 1
        if flow_runs.get(api, run).version != before.version:
            verdict.broken("P5", f"attempt {attempt} has changed run {run}, which is in attempt {before.attempt}")


def _check_ends(verdict: Verdict, database: Database) -> None:
    """Each run that was asked for has succeeded; the flow has no other end."""
    table = metadata.tables["flow_run"]
    with database.read() as session:
        query = select(table.c.id, table.c.state_name).where(table.c.due_at.is_(None), table.c.state_name != "Success")
        for run in session.execute(query):
            verdict.broken("P7", f"run {run.id} is {run.state_name}")


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.chaos.many_claims", description=__doc__)
    options.add_argument("--claims", type=int, default=10_000)
    options.add_argument("--seed", type=int, help="which kills; drawn and printed when not given")
    options.add_argument("--postgres", action="store_true", help="on a Postgres of its own instead of SQLite")
    given = options.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    process_guard.watch()
    directory = process_guard.marked_directory("appliance-chaos-")
    print(f"seed {seed}, in {directory}", flush=True)
    began = clock.monotonic()
    verdict = storm(directory, claims=given.claims, seed=seed, postgres=given.postgres)
    print(f"{verdict}\nin {clock.monotonic() - began:.0f} s")
    print("verdict: " + (f"BROKEN; everything lies in {directory}" if verdict.violations else "clean"))
    if not verdict.violations:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
