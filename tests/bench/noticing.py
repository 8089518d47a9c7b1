"""`python -m tests.bench.noticing [--runs 300]`: how long it takes until a dead run is noticed, by a server and services with the settings of
production (P6). The runs are played: each reports every 30 s until it dies at a moment drawn at random, and its agent with it.
"""

from __future__ import annotations

import argparse
import heapq
import random
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec

from appliance.client import agents, flow_runs
from appliance.client import run_protocol as runs
from appliance.client.transport import Transport
from appliance.kit import clock
from appliance.protocol.agents import Claim, Enrol, Work
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.run_protocol import Report
from tests.bench.measure import machine, percentile
from tests.chaos.healthy import PRODUCTION
from tests.chaos.site import SERVICES, Site
from tests.e2e.appliance_process import TOKEN, until

HEARTBEAT = float(PRODUCTION["APPLIANCE_HEARTBEAT_INTERVAL"])
WITHIN = 180.0


class Played:
    """A run that only reports; `dies` is when it does that no more."""

    def __init__(self, url: str, work: Work, dies: datetime) -> None:
        self.run, self.attempt, self.dies = work.flow_run_id, work.attempt, dies
        self._transport = Transport(url, work.run_token, tries=4)
        runs.begin(self._transport, self.run, self.attempt)

    def report(self) -> None:
        runs.report(self._transport, self.run, msgspec.json.encode(Report(attempt=self.attempt, seq=0)))

    def close(self) -> None:
        self._transport.close()


def measure(number: int, lifetime: float, chance: random.Random) -> list[float]:
    """Seconds from each run's death to the moment at which its end was written down, in order."""
    with tempfile.TemporaryDirectory(prefix="appliance-noticing-") as name:
        site = Site(Path(name), Path(name) / "data", settings=PRODUCTION)
        try:
            site.serve()
            for service in SERVICES:
                site.start(service)
            with Transport(site.clients.url, TOKEN, tries=10) as api:
                played = _begun(site.clients.url, api, number, lifetime, chance)
                _live(played, chance)
                return sorted(_noticed(api, played))
        finally:
            site.close()


def _begun(url: str, api: Transport, number: int, lifetime: float, chance: random.Random) -> list[Played]:
    agent = agents.enrol(api, Enrol(name="played", type="process", capacity=number)).agent_id
    wanted = CreateFlowRun(project="chaos", flow="work")
    made = {flow_runs.create(api, wanted).id for _ in range(number)}
    found: list[Work] = []
    while len(found) < number:
        found += [work for work in agents.claim(api, agent, Claim(free_slots=50)).work if work.flow_run_id in made]
    now = clock.now()
    return [Played(url, work, now + timedelta(seconds=chance.uniform(0, lifetime))) for work in found]


def _live(played: list[Played], chance: random.Random) -> None:
    now = clock.monotonic()
    due = [(now + chance.uniform(0, HEARTBEAT), number, run) for number, run in enumerate(played)]
    heapq.heapify(due)
    while due:
        at, number, run = heapq.heappop(due)
        time.sleep(max(0.0, at - clock.monotonic()))
        if clock.now() >= run.dies:
            run.close()
            continue
        run.report()
        heapq.heappush(due, (at + HEARTBEAT, number, run))


def _noticed(api: Transport, played: list[Played]) -> list[float]:
    deaths: dict[UUID, datetime] = {run.run: run.dies for run in played}
    until(
        "all ends are written down",
        lambda: not list(flow_runs.each(api, RunFilter(states=["RUNNING"], flow="work"))),
        2 * WITHIN,
    )
    ends = {view.id: view.end_time or clock.now() for view in flow_runs.each(api, RunFilter(states=["FAILED"]))}
    return [(ends[run] - died).total_seconds() for run, died in deaths.items()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.noticing", description=__doc__)
    parser.add_argument("--runs", type=int, default=300, help="how many runs die")
    parser.add_argument("--lifetime", type=float, default=60.0, help="seconds within which they do")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found = measure(given.runs, given.lifetime, random.Random(given.seed))
    print(machine())
    figures = ", ".join(f"p{part} {percentile(found, part / 100):.1f} s" for part in (1, 50, 90, 99, 100))
    print(f"{len(found)} dead runs were noticed after: {figures}; promised: {WITHIN:.0f} s at most")
    return int(found[-1] > WITHIN)


if __name__ == "__main__":
    sys.exit(main())
