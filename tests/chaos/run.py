"""`make chaos`: a whole site under load and faults drawn from a seed; then it is healed, comes to rest, and is judged.

python -m tests.chaos.run [--seconds N] [--seed S] [--postgres] [--directory DIR]
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from appliance.client import flow_runs
from appliance.client.errors import ClientError
from appliance.client.transport import Transport
from appliance.kit import clock
from appliance.protocol.run_filter import RunFilter
from appliance.server.db.session import Database
from appliance.server.db.tables import metadata
from tests import process_guard
from tests.chaos.faults import HOURS, Faults, Postgres, SmallDisk
from tests.chaos.judge import Verdict, judge
from tests.chaos.load import Load
from tests.chaos.site import AGENTS, Site
from tests.e2e.appliance_process import TOKEN

QUIET = NOTICED_WITHIN = 180.0
UNFINISHED = ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING")


@dataclass
class Outcome:
    """What one chaos run has shown."""

    seed: int
    seconds: float
    faults: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    quiet_after: float = 0.0
    noticed: list[float] = field(default_factory=list)
    not_injected: list[str] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)

    def __str__(self) -> str:
        kills = sum(number for fault, number in self.faults.items() if fault.startswith("kill"))
        lines = [
            f"seed {self.seed}, {self.seconds:.0f} s of faults: {sum(self.faults.values())}, {kills} of them kills"
        ]
        lines += [f"  {number:4} {fault}" for fault, number in sorted(self.faults.items())]
        lines += [f"  not injected: {reason}" for reason in self.not_injected]
        lines.append("requests: " + ", ".join(f"{number} {name}" for name, number in sorted(self.requests.items())))
        lost = self.verdict.counts["broken I10"]
        doubled = self.verdict.counts["broken I5"] + self.verdict.counts["broken I14"]
        lines.append(f"acknowledged {self.verdict.counts['acknowledged']}, lost {lost}, doubled {doubled}")
        lines.append(f"at rest {self.quiet_after:.1f} s after the last fault")
        if self.noticed:
            middle = self.noticed[len(self.noticed) // 2]
            lines.append(f"dead runs were noticed after {middle:.1f} s in the median, {self.noticed[-1]:.1f} s at most")
        lines.append(str(self.verdict))
        lines.append("verdict: " + ("BROKEN" if self.verdict.violations else "clean"))
        return "\n".join(lines)


def chaos(directory: Path, *, seconds: float, seed: int, postgres: bool = False) -> Outcome:
    """One whole chaos run below `directory`."""
    outcome, chance = Outcome(seed, seconds), random.Random(seed)
    with ExitStack() as stack:
        disk, server, data = None, None, directory / "data"
        if postgres:
            server = Postgres(directory / "postgres")
            stack.callback(server.close)
        else:
            disk = SmallDisk(data, 200 + int(seconds) // 4)
            stack.callback(disk.close)
            outcome.not_injected += [f"a full disk: {disk.why_not}"] if disk.why_not else []
        site = Site(directory, data, server.url if server else "")
        stack.callback(site.close)
        site.open()
        database = site.database()
        stack.callback(database.dispose)
        load = Load(site.clients.url, directory / "journal.jsonl", random.Random(seed + 1))
        faults = Faults(site, database, chance, disk, server)
        load.start()
        faults.inject(time.monotonic() + seconds)
        load.finish()
        _come_to_rest(site, outcome)
        outcome.faults, outcome.requests = dict(faults.counts), dict(load.counts)
        outcome.verdict = judge(database, clock.now(), journal=load.journal, ledger=site.ledger)
        for what in faults.over_limit:
            outcome.verdict.broken("I8", what)
        outcome.noticed = check_deaths(outcome.verdict, database, faults.killed)
        if data.exists():
            shutil.copytree(data, directory / "kept", ignore=shutil.ignore_patterns("filler"), dirs_exist_ok=True)
    return outcome


def _come_to_rest(site: Site, outcome: Outcome) -> None:
    """Wait by the API until all that was due is over, then stop everything in order."""
    began, healed = time.monotonic(), clock.now()
    api = Transport(site.clients.url, TOKEN, tries=10)
    while left := list(_unfinished(api, healed)):
        if time.monotonic() - began > QUIET:
            outcome.verdict.broken("P6", f"{len(left)} runs are not at rest after {QUIET:.0f} s, such as {left[0]}")
            break
        time.sleep(0.5)
    outcome.quiet_after = time.monotonic() - began
    for name in ("services-1", "services-2"):
        _stop(site, name, outcome)
    deadline = time.monotonic() + 60
    while site.runs() and time.monotonic() < deadline:
        time.sleep(0.2)
    for name in (*AGENTS, "server"):
        _stop(site, name, outcome)
    api.close()


def _stop(site: Site, name: str, outcome: Outcome) -> None:
    code = site.stop(name)
    if code != 0:
        outcome.verdict.broken("stop", f"{name} ended with {code} when it was asked to stop")


def _unfinished(api: Transport, due_before: Any) -> Iterator[Any]:
    for type in UNFINISHED:
        try:
            for run in flow_runs.each(api, RunFilter(states=[type])):
                if run.scheduled_time <= due_before:
                    yield run
        except ClientError as error:
            yield error


def check_deaths(verdict: Verdict, database: Database, killed: Mapping[str, datetime]) -> list[float]:
    """A run is Crashed only if we have killed its process (P7). After how many seconds that was noticed (P6), as far as the clock by
    which it was written down was right."""
    runs, seconds, known = metadata.tables["flow_run"], [], {UUID(id): at for id, at in killed.items()}
    with database.read() as session:
        crashed = session.execute(select(runs).where(runs.c.state_name == "Crashed")).all()
    for run in crashed:
        if run.id not in known:
            verdict.broken("P7", f"run {run.id} is Crashed, though nobody has killed it: {run.state_message}")
            continue
        late = (run.state_at - known[run.id]).total_seconds()
        if abs(late) > min(map(abs, HOURS)) / 2:
            continue
        seconds.append(late)
        if late > NOTICED_WITHIN:
            verdict.broken("P6", f"run {run.id} was killed, which was noticed after {late:.0f} s")
    verdict.counts["runs killed and noticed"] += len(crashed)
    return sorted(seconds)


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    options.add_argument("--seconds", type=float, default=120.0, help="how long faults are injected")
    options.add_argument("--seed", type=int, default=None, help="which faults; drawn and printed when not given")
    options.add_argument("--postgres", action="store_true", help="on a Postgres of its own instead of SQLite")
    options.add_argument("--directory", type=Path, help="where everything lies; kept")
    given = options.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    process_guard.watch()
    directory = given.directory or process_guard.marked_directory("appliance-chaos-")
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)
    print(f"seed {seed}, in {directory}", flush=True)
    outcome = chaos(directory, seconds=given.seconds, seed=seed, postgres=given.postgres)
    print(outcome)
    if outcome.verdict.violations:
        print(f"Everything lies in {directory}: journal.jsonl, ledger, logs, and the database in kept.")
        return 1
    if given.directory is None:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
