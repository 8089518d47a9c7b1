"""An agent on a host of its own, which reaches the server by outbound HTTPS alone: with a company's authority and proxy, over a network that is slow, loses
packets, is cut, or lets nothing through in one direction."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from appliance.client import flow_runs
from appliance.kit import clock
from tests import certificates, depth, networks
from tests.chaos.proxy import DELAY, PASS, ForwardProxy, Proxy
from tests.conformance.agent_kinds import AgentProcess, Process
from tests.e2e.appliance_process import clean_environment, until
from tests.integration.live import TOKEN, LiveServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
FLOWS = """
import threading
from appliance import Flow, Parameter, get_logger, task

@task
def talk(seconds):
    for number in range(int(seconds * 20)):
        get_logger().info("line %d", number)
        threading.Event().wait(0.05)

with Flow("talks") as talks:
    talk(Parameter("seconds", default=0.1))
"""
LEASE = depth.pick(quick=8, normal=8, full=700)
CUTS = depth.pick(quick=(1.0, 5.0), normal=(1.0, 5.0), full=(1.0, 60.0, 600.0))
"""Seconds, all shorter than a lease."""


class FarProcess(Process):
    """On the far host, where nothing but the proxy and the server's door can be reached."""

    def __init__(self, prefix: list[str], variables: dict[str, str]) -> None:
        self.prefix, self.variables = prefix, variables

    def arguments(self, url: str) -> list[str]:
        return [*super().arguments(url), "--root", "/"]

    def environment(self) -> dict[str, str]:
        return self.variables


class Far:
    """A server, its services, the company's proxy in front of it, and an agent on a far host."""

    def __init__(self, folder: Path, stack: ExitStack, lease: float = LEASE) -> None:
        stack.enter_context(networks.own_network())
        settings = {
            "APPLIANCE_RUN_LEASE": str(lease),
            "APPLIANCE_HEARTBEAT_INTERVAL": "1",
            "APPLIANCE_REPAIR_INTERVAL": "0.5",
        }
        self.server = LiveServer(folder / "data", **settings).start()
        stack.callback(self.server.kill)
        services = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "appliance", "services"],
                env=clean_environment(APPLIANCE_DATA_DIR=str(folder / "data"), **settings),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        stack.callback(services.kill)
        (folder / "flows.py").write_text(FLOWS)
        self.server.register(folder / "flows.py")
        self.prefix, here = stack.enter_context(networks.far_host(1))
        self.between = Proxy(int(self.server.url.rpartition(":")[2]))
        stack.callback(self.between.close)
        self.variables = {"APPLIANCE_TOKEN": TOKEN, **self.connect(folder, stack, here)}
        kind = FarProcess(self.prefix, self.variables)
        self.agent = AgentProcess(kind, self.server, folder / "agent", "north").start()
        stack.callback(self.agent.stop)

    def connect(self, folder: Path, stack: ExitStack, here: str) -> dict[str, str]:
        """Open what the far host reaches. Returns the variables with which it is reached."""
        trusted, tls = certificates.authority(folder, here)
        self.door = Proxy(self.between.port, host=here, tls=tls)
        self.proxy = ForwardProxy(here)
        for each in (self.proxy, self.door):
            stack.callback(each.close)
        return {"APPLIANCE_URL": self.door.url, "SSL_CERT_FILE": str(trusted), "HTTPS_PROXY": self.proxy.url}

    def lines(self, run: UUID) -> list[str]:
        return [line.message for line in flow_runs.logs(self.server.client, run)]

    def talking(self, seconds: float) -> UUID:
        run = self.server.create("talks", seconds=seconds)
        self.server.until(run, lambda _view: "line 0" in self.lines(run))
        return run

    def succeeded(self, run: UUID, seconds: float) -> None:
        """In its first attempt, and with each of its lines once and in order."""
        deadline = clock.monotonic() + seconds
        while flow_runs.get(self.server.client, run).state == "Running" and clock.monotonic() < deadline:
            pass_time(0.2)
        view = self.server.ended(run)
        assert (view.state, view.attempt) == ("Success", 1), view.state_message
        lines = [line for line in self.lines(run) if line.startswith("line")]
        assert lines == [f"line {number}" for number in range(len(lines))] and len(lines) >= int(seconds * 10)

    def heard_again(self, run: UUID, known: int, seconds: float) -> float:
        """Wait for a new line of a run; how many seconds that took."""
        began = clock.monotonic()
        until("the run is heard again", lambda: len(self.lines(run)) > known, seconds)
        return clock.monotonic() - began

    def command(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command on the far host."""
        return self.run_there(sys.executable, "-m", "appliance", *arguments, **variables)

    def run_there(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A program on the far host."""
        return subprocess.run(
            [*self.prefix, *command],
            env=clean_environment(**{**self.variables, **variables}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def pass_time(seconds: float) -> None:
    """What lasts so long is the fault, or the work that it must not disturb."""
    subprocess.run(["sleep", str(seconds)], check=True)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    if not networks.are_permitted():
        pytest.skip(networks.REASON)
    with ExitStack() as stack:
        yield Far(tmp_path_factory.mktemp("far"), stack)


def test_an_agent_trusts_the_companys_authority_and_goes_through_its_proxy(far: Far) -> None:
    run = far.server.create("talks")
    far.succeeded(run, 0.1)
    door = far.door.url.removeprefix("https://")
    assert set(far.proxy.asked) == {door}
    assert len(far.proxy.asked) >= 2  # the agent's, and the run's own
    nowhere = "http://127.0.0.1:9"
    direct = far.command("get", "flow-runs", HTTPS_PROXY=nowhere, NO_PROXY=door.partition(":")[0])
    assert direct.returncode == 0, direct.stderr
    assert far.command("get", "flow-runs", HTTPS_PROXY=nowhere).returncode != 0
    distrustful = far.command("get", "flow-runs", SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt")
    assert distrustful.returncode != 0
    assert "is not trusted" in distrustful.stderr and "Traceback" not in distrustful.stderr


def test_a_slow_network_that_loses_packets_delays_a_claim_by_less_than_30_seconds(far: Far) -> None:
    far.between.set(DELAY)
    try:
        with networks.loss(1, share=0.02):
            run = far.server.create("talks")
            assert far.server.ended(run).state == "Success"
    finally:
        far.between.set(PASS)
    at = {state.type: state.at for state in flow_runs.states(far.server.client, run)}
    assert at["RUNNING"] - at["SCHEDULED"] < timedelta(seconds=30)


def test_a_run_survives_cuts_that_are_shorter_than_its_lease(far: Far) -> None:
    seconds = sum(CUTS) + 2 * len(CUTS) + 4
    run = far.talking(seconds)
    for cut in CUTS:
        known = len(far.lines(run))
        with networks.cut(1):
            pass_time(cut)
        far.server.until(run, lambda _view, known=known: len(far.lines(run)) > known)
    with networks.loss(1, share=1):  # requests arrive, and no answer does
        pass_time(2)
    far.succeeded(run, seconds)


def test_a_run_that_was_given_up_is_stopped_when_its_host_is_back(far: Far) -> None:
    if depth.is_full():
        pytest.skip("the lease is long there")
    run = far.talking(100)
    with networks.cut(1):
        view = far.server.ended(run)
        assert view.state == "Crashed" and "not heard from for 8 s" in (view.state_message or "")
        assert len(far.agent.kind.running(far.agent, run)) == 1
        known = len(far.lines(run))
    far.agent.kind.wait(far.agent, run)
    assert flow_runs.get(far.server.client, run).state == "Crashed"
    assert len(far.lines(run)) == known
