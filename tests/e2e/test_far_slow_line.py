"""An agent behind a line that carries 10 KB/s, loses 2 % of the packets in both directions, and takes half a second there and back. Real processes in network
namespaces: the kernel shapes and drops, and the tests' proxy delays. The runs' lease, the agent's patience and that of the server are those of production."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from appliance.client import flow_runs
from appliance.kit import clock
from appliance.protocol.states import TERMINAL
from tests import certificates, networks
from tests.chaos.proxy import DELAY, Proxy
from tests.e2e.appliance_process import until
from tests.e2e.test_far_agents import Far

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
LEASE, RATE, LOSS, ONE_WAY = 90.0, 10_000, 0.02, 0.25
CLAIM_WITHIN = timedelta(seconds=30)
TOGETHER = 4
LINE, LINES = 1_000, 500
"""How long the lines of a run are that says much at once, and how many they are."""
FLOWS = f"""
from appliance import Flow, get_logger, task

@task
def shout():
    for number in range({LINES}):
        get_logger().info("%d %s", number, "x" * {LINE})

with Flow("shouts") as shouts:
    shout()
"""


class Line(Proxy):
    """Whoever connects, and whatever they send, arrives later."""

    async def _reach(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        await asyncio.sleep(2 * ONE_WAY)
        return await super()._reach(reader, writer)


class Slow(Far):
    """HTTPS ends behind the line."""

    def connect(self, folder: Path, stack: ExitStack, here: str) -> dict[str, str]:
        trusted, tls = certificates.authority(folder, here)
        self.door = Proxy(self.between.port, tls=tls)
        self.line = Line(self.door.port, host=here, delay=ONE_WAY)
        for each in (self.line, self.door):
            stack.callback(each.close)
        self.line.set(DELAY)
        stack.enter_context(networks.narrow(1, self.prefix, bytes_per_second=RATE))
        stack.enter_context(networks.loss(1, share=LOSS, both_ways=True))
        shouts = folder / "shouts.py"
        shouts.write_text(FLOWS)
        self.server.register(shouts)
        return {"APPLIANCE_URL": self.line.url.replace("http:", "https:"), "SSL_CERT_FILE": str(trusted)}


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slow]:
    if not networks.are_shaped():
        pytest.skip(f"{networks.REASON}, or can't limit their rate")
    with ExitStack() as stack:
        yield Slow(tmp_path_factory.mktemp("slow"), stack, LEASE)


def waited(slow: Slow, run: UUID) -> timedelta:
    """From the time at which a run was due until it was heard to run."""
    at: dict[str, datetime] = {state.type: state.at for state in flow_runs.states(slow.server.client, run)}
    return at["RUNNING"] - at["SCHEDULED"]


def test_a_run_is_claimed_within_30_seconds_and_succeeds(slow: Slow) -> None:
    run = slow.server.create("talks", seconds=3)
    slow.succeeded(run, 3)
    print(f"runs after {waited(slow, run).total_seconds():.1f} s")
    assert waited(slow, run) < CLAIM_WITHIN


@pytest.mark.full
def test_runs_that_say_much_are_heard_and_none_is_taken_for_dead(slow: Slow) -> None:
    """They share the line, over which one report of theirs takes most of a minute."""
    began = clock.monotonic()
    runs = [slow.server.create("shouts") for _ in range(TOGETHER)]
    shortest = TOGETHER * LINE * LINES / RATE
    later = slow.server.create("talks", seconds=1)

    def over(run: UUID) -> bool:
        return flow_runs.get(slow.server.client, run).state_type in TERMINAL

    until("all have ended", lambda: all(map(over, [*runs, later])), 3 * shortest)
    print(f"{TOGETHER} runs in {clock.monotonic() - began:.0f} s, of which the line takes {shortest:.0f} s")
    for run in runs:
        view = flow_runs.get(slow.server.client, run)
        assert (view.state, view.attempt) == ("Success", 1), view.state_message
        lines = [line.partition(" ")[0] for line in slow.lines(run) if line.endswith("x" * LINE)]
        assert lines == list(map(str, range(LINES)))
    print(f"claimed meanwhile after {waited(slow, later).total_seconds():.1f} s")
    assert waited(slow, later) < CLAIM_WITHIN
