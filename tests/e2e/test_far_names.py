"""An agent on a host of its own knows the server by a name. The name server of that host fails in each way, or sends it elsewhere; the server moves, or is gone
without a word. Runs go on, and the agent comes back without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from appliance.client import agents, flow_runs
from tests import certificates, depth, networks
from tests.chaos.proxy import CUT, PASS, Proxy
from tests.conformance.agent_kinds import AgentProcess
from tests.e2e.appliance_process import until
from tests.e2e.test_far_agents import Far, FarProcess, pass_time
from tests.name_server import FAILURE, NO_SUCH_NAME, SILENCE, NameServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NAME, LEASE = "appliance.test", 90.0
BACK_WITHIN = 60.0
"""Seconds in which an agent and its runs find a server again."""
LASTS = 3.0
NOBODY = "10.77.1.1"
"""An address of the right host, at which nobody listens on this port."""
FAULTS = depth.pick(quick=(SILENCE,), normal=(SILENCE, NOBODY), full=(SILENCE, FAILURE, NO_SUCH_NAME, NOBODY))


class Named(Far):
    """The far host knows the server by its name alone. The door is at the second address."""

    def connect(self, folder: Path, stack: ExitStack, here: str) -> dict[str, str]:
        trusted, self.tls = certificates.authority(folder, NAME)
        self.address = stack.enter_context(networks.another_address(1, self.prefix))
        self.names = NameServer(here, NAME, self.address)
        self.door = Proxy(self.between.port, host=self.address, tls=self.tls)
        for each in (self.names, self.door):
            stack.callback(each.close)
        self.prefix = [*self.prefix, *networks.with_name_server(here, folder)]
        return {"APPLIANCE_URL": f"https://{NAME}:{self.door.port}", "SSL_CERT_FILE": str(trusted)}


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Named]:
    if not networks.are_permitted():
        pytest.skip(networks.REASON)
    with ExitStack() as stack:
        yield Named(tmp_path_factory.mktemp("named"), stack, LEASE)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_outlives_a_name_server_that_is_wrong(named: Named, fault: str) -> None:
    seconds = LASTS + 8
    run = named.talking(seconds)
    named.names.lead(fault)
    named.door.set(CUT)  # from now on, whoever speaks to the server needs its address
    named.door.set(PASS)
    assert named.names.heard.wait(BACK_WITHIN)
    known = len(named.lines(run))
    pass_time(LASTS)
    asked = named.names.asked
    assert 0 < asked <= 100 * LASTS, "the agent and a run ask now and then"
    named.names.lead(named.address)
    named.heard_again(run, known, BACK_WITHIN)
    named.succeeded(run, seconds)
    after = named.server.create("talks")
    assert named.server.ended(after).state == "Success"


def test_an_agent_that_starts_while_no_name_is_known_waits_for_it(named: Named, tmp_path: Path) -> None:
    named.names.lead(NO_SUCH_NAME)
    agent = AgentProcess(FarProcess(named.prefix, named.variables), named.server, tmp_path / "late", "late").start()
    try:
        until(
            "it has asked", lambda: named.names.heard.is_set() and "Waiting for the server" in agent.log.read_text(), 60
        )
        named.names.lead(named.address)
        until("it is here", lambda: "late" in {one["name"] for one in agents.listed(named.server.client)}, BACK_WITHIN)
        assert "Traceback" not in agent.log.read_text()
    finally:
        agent.stop()


@pytest.mark.full
def test_connections_to_a_server_that_is_gone_without_a_word_are_given_up(named: Named) -> None:
    """Nothing is delivered on what is open, and nobody is told. New connections work."""
    run = named.talking(45)
    named.door.strand()
    known = len(named.lines(run))
    took = named.heard_again(run, known, BACK_WITHIN)
    print(f"heard again after {took:.1f} s")
    named.succeeded(run, 45)


def test_a_server_that_moves_is_found_at_its_new_address(named: Named) -> None:
    """This is the last one: the old door is closed."""
    seconds = 8
    run = named.talking(seconds)
    port = named.door.port
    named.door.close()
    moved = Proxy(named.between.port, host=NOBODY, tls=named.tls, port=port)
    try:
        known = len(named.lines(run))
        named.names.lead(NOBODY)
        named.heard_again(run, known, BACK_WITHIN)
        named.succeeded(run, seconds)
        after = named.server.create("talks")
        assert named.server.ended(after).state == "Success"
        assert flow_runs.get(named.server.client, after).attempt == 1
    finally:
        moved.close()
