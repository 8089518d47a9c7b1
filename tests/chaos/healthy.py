"""`python -m tests.chaos.healthy [--seconds 60] [--postgres]`: healthy runs while everything about them stands still, is cut off, is slow
or loses the time, one fault after the other, under the settings of production. None of them may be ended or done twice (P7).
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from os import cpu_count, kill
from pathlib import Path
from uuid import UUID

from appliance.client import flow_runs
from appliance.client.transport import Transport
from appliance.kit import clock
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.server.domain.rules import Rules
from tests import process_guard
from tests.chaos import proxy
from tests.chaos.faults import Postgres
from tests.chaos.judge import Verdict, judge
from tests.chaos.run import check_deaths
from tests.chaos.site import AGENTS, NAMES, SERVICES, Site
from tests.e2e.appliance_process import TOKEN, until

HOUR = 3600.0
RUNS = 4
BUSY = 4
"""Programs for each processor."""
CUT, LONGEST_CUT = "agent and runs reach nobody", 2 / 3
"""As part of a lease: a run that is silent for longer, while the server hears others, is given up."""
PRODUCTION = {"APPLIANCE_HEARTBEAT_INTERVAL": "30"}
"""All else as it comes: a lease of 90 s, a sweep every 15 s."""

Fault = Callable[[Site], AbstractContextManager[None]]


@contextmanager
def still(site: Site, *names: str, runs: bool = False) -> Iterator[None]:
    """SIGSTOP, and SIGCONT in the same order, the runs a second later: whoever judges them is the quicker one."""
    stopped = list(site.runs().values()) if runs else []
    for name in names:
        site.signal(name, signal.SIGSTOP)
    for pid in stopped:
        kill(pid, signal.SIGSTOP)
    yield
    for name in names:
        site.signal(name, signal.SIGCONT)
    if stopped:
        time.sleep(1)
    for pid in stopped:
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGCONT)


@contextmanager
def cut_off(site: Site) -> Iterator[None]:
    site.agents.set(proxy.HOLE)
    yield
    site.agents.set(proxy.PASS)


@contextmanager
def wrong(site: Site, ahead: float, *names: str) -> Iterator[None]:
    for name in names:
        site.set_clock(name, ahead)
    yield
    for name in names:
        site.set_clock(name, 0)


@contextmanager
def busy(_site: Site) -> Iterator[None]:
    """Every processor has several programs that want all of it."""
    with ExitStack() as stack:
        for _ in range(BUSY * (cpu_count() or 1)):
            spinning = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
            stack.callback(spinning.wait)
            stack.callback(spinning.kill)
        yield


FAULTS: dict[str, Fault] = {
    "the server stands still": lambda site: still(site, "server"),
    "everything stands still": lambda site: still(site, *NAMES, runs=True),
    "all clocks are an hour ahead": lambda site: wrong(site, HOUR, "server", "services"),
    "all clocks are an hour behind": lambda site: wrong(site, -HOUR, "server", "services"),
    CUT: cut_off,
    "the processors are busy": busy,
    "the services stand still": lambda site: still(site, *SERVICES),
    "the agents stand still": lambda site: still(site, *AGENTS),
    "the services' clock is an hour ahead": lambda site: wrong(site, HOUR, "services"),
    "the services' clock is an hour behind": lambda site: wrong(site, -HOUR, "services"),
}


def healthy(
    directory: Path,
    *,
    seconds: float,
    names: list[str],
    settings: Mapping[str, str] = PRODUCTION,
    postgres: bool = False,
) -> Verdict:
    """Each fault lasts so many seconds, and half as many of peace follow; a cut is over before a lease. What the runs were through is in the counts."""
    with ExitStack() as stack:
        server = Postgres(directory / "postgres") if postgres else None
        if server is not None:
            stack.callback(server.close)
        site = Site(directory, directory / "data", server.url if server else "", settings)
        stack.callback(site.close)
        site.open()
        api = stack.enter_context(Transport(f"http://127.0.0.1:{site.port}", TOKEN, tries=10))
        database = site.database()
        stack.callback(database.dispose)
        lease = float(settings.get("APPLIANCE_RUN_LEASE", Rules.run_lease))
        began, runs = time.monotonic(), _started(api, len(names) * seconds * 1.6 + 5)
        for name in names:
            with FAULTS[name](site):
                time.sleep(min(seconds, LONGEST_CUT * lease) if name == CUT else seconds)  # how long the fault lasts
            time.sleep(seconds / 2)
        _finished(api, runs, len(names) * seconds + 120)
        lived = (time.monotonic() - began) * RUNS
        site.come_to_rest()
        verdict = judge(database, clock.now(), ledger=site.ledger)
        check_deaths(verdict, database, {})
        for run in runs:
            view = flow_runs.get(api, run)
            if (view.state, view.attempt) != ("Success", 1):
                verdict.broken("P7", f"run {run} was healthy, and is {view.state} in attempt {view.attempt}")
        verdict.counts.update({"faults": len(names), "minutes of healthy runs": round(lived / 60)})
    return verdict


def _started(api: Transport, seconds: float) -> list[UUID]:
    wanted = CreateFlowRun(project="chaos", flow="work", parameters={"pause": seconds})
    runs = [flow_runs.create(api, wanted).id for _ in range(RUNS)]
    until("all runs are at work", lambda: all(flow_runs.get(api, run).state == "Running" for run in runs), 60)
    return runs


def _finished(api: Transport, runs: list[UUID], seconds: float) -> None:
    ended = ("SUCCESS", "FAILED", "CANCELLED")
    until("all runs are over", lambda: all(flow_runs.get(api, run).state_type in ended for run in runs), seconds)


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.chaos.healthy", description=__doc__)
    options.add_argument("--seconds", type=float, default=60.0, help="how long each fault lasts")
    options.add_argument("--postgres", action="store_true", help="on a Postgres of its own instead of SQLite")
    given = options.parse_args()
    process_guard.watch()
    directory = process_guard.marked_directory("appliance-chaos-")
    verdict = healthy(directory, seconds=given.seconds, names=list(FAULTS), postgres=given.postgres)
    print(verdict)
    print("verdict: " + (f"BROKEN; everything lies in {directory}" if verdict.violations else "clean"))
    if not verdict.violations:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
