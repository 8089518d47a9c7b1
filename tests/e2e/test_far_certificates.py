"""An agent on a host of its own, and a server whose certificate is wrong in each way, or exchanged while runs go on. Real processes in network namespaces; the
proxy at which HTTPS ends is the tests' own, and everything that crosses the network is looked at."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from appliance.client import agents
from tests import certificates, depth, networks
from tests.certificates import EXPIRED, Authority
from tests.chaos.proxy import CUT, PASS, Proxy
from tests.e2e.appliance_process import until
from tests.e2e.test_far_agents import Far, pass_time
from tests.integration.live import TOKEN
from tests.unit.client.test_trust import Secured

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LEASE, BACK_WITHIN = 90.0, 60.0
HANDSHAKE, HEADERS = 0x16, (b"HTTP/1.1", b"Authorization", TOKEN.encode())
"""The first byte of a connection on which TLS begins, and what nobody on the way may read."""
SDK = """
from appliance import Flow, task

@task
def nothing():
    pass

with Flow("from-afar") as flow:
    nothing()

if __name__ == "__main__":
    flow.register(project="p")
"""


class Tap(Proxy):
    """Notes what clients send."""

    def __init__(self, target: int, host: str) -> None:
        self.first_bytes, self.sent = set[int](), bytearray()
        self.connections = 0
        super().__init__(target, host=host)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answered: asyncio.StreamWriter | None
    ) -> None:
        if answered is not None and (first := await reader.read(1)):
            self.connections += 1
            self.first_bytes.add(first[0])
            writer.write(first)
        await super()._pump(reader, writer, answered)

    def _passing(self, content: bytes, is_request: bool) -> None:
        if is_request:
            self.sent += content


class Certified(Far):
    """HTTPS ends at the door, in front of which everything can be seen."""

    def connect(self, folder: Path, stack: ExitStack, here: str) -> dict[str, str]:
        self.folder, self.here = folder, here
        self.authority = Authority(folder)
        self.tls = certificates.serving(self.authority.issue(here))
        self.door = Proxy(self.between.port, tls=self.tls)
        self.tap = Tap(self.door.port, here)
        for each in (self.tap, self.door):
            stack.callback(each.close)
        self.sdk = folder / "from_afar.py"
        self.sdk.write_text(SDK)
        return {
            "APPLIANCE_URL": self.tap.url.replace("http:", "https:"),
            "SSL_CERT_FILE": str(self.authority.file),
        }

    def lead(self, server: Proxy | Secured) -> None:
        """Whoever connects from now on reaches this."""
        self.tap.lead(server.port)
        self.tap.set(CUT)
        self.tap.set(PASS)

    def serve(self, file: Path) -> None:
        """With this certificate from now on, to everybody."""
        self.tls.load_cert_chain(file)
        self.door.set(CUT)
        self.door.set(PASS)

    def said_since(self, position: int) -> str:
        return self.agent.log.read_text()[position:]

    def from_sdk(self) -> subprocess.CompletedProcess[str]:
        """A program on the far host that registers its flow."""
        return self.run_there(sys.executable, str(self.sdk))


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    if not networks.are_permitted():
        pytest.skip(networks.REASON)
    with ExitStack() as stack:
        yield Certified(tmp_path_factory.mktemp("certified"), stack, LEASE)


def expire(certified: Certified) -> None:
    certified.serve(certified.authority.issue(certified.here, EXPIRED))


def misname(certified: Certified) -> None:
    certified.serve(certified.authority.issue("other.test"))


def sign_alone(certified: Certified) -> None:
    certified.serve(certificates.self_signed(certified.folder, certified.here))


def sign_by_a_stranger(certified: Certified) -> None:
    certified.serve(Authority(certified.folder, "a stranger").issue(certified.here))


def age(certified: Certified) -> None:
    """Another server: that of asyncio ends the connection without the alert that others send."""
    tls = certificates.serving(certified.authority.issue(certified.here))
    certificates.make_old(tls)
    certified.lead(Secured(tls))


FAULTS: dict[str, tuple[Callable[[Certified], None], str]] = {
    "expired": (expire, "is not trusted: its certificate has expired; renew it on the server"),
    "another authority": (sign_by_a_stranger, "does not know; add the certificate of that authority to "),
    "other name": (misname, "its certificate is for another name; set APPLIANCE_URL"),
    "self-signed": (sign_alone, "its certificate is self-signed; add it to "),
    "old TLS": (age, "offers no version of TLS that is still safe; switch on TLS 1.2 or 1.3"),
}
CHOSEN = depth.pick(quick=("expired",), normal=("expired", "old TLS"), full=tuple(FAULTS))


def repair(certified: Certified) -> None:
    certified.lead(certified.door)
    certified.serve(certified.authority.issue(certified.here))


@pytest.mark.parametrize("fault", CHOSEN)
def test_nobody_speaks_to_a_server_that_is_not_trusted_and_runs_outlive_it(certified: Certified, fault: str) -> None:
    """The agent goes on without a restart once the certificate has been exchanged."""
    break_it, sentence = FAULTS[fault]
    run = certified.talking(8)
    position, known = len(certified.agent.log.read_text()), len(certified.lines(run))
    break_it(certified)
    try:
        until("the agent says it", lambda: sentence in certified.said_since(position), 30)
        certified.tap.sent.clear()
        before = certified.tap.connections
        command, program = certified.command("get", "flow-runs"), certified.from_sdk()
        assert certified.tap.connections >= before + 2
        assert command.returncode != 0 and sentence in command.stderr and "Traceback" not in command.stderr
        assert command.stderr.count("\n") == 1, command.stderr
        assert program.returncode != 0 and sentence in program.stderr.splitlines()[-1], program.stderr
        assert certified.tap.first_bytes == {HANDSHAKE}
        assert not [word for word in HEADERS if word in certified.tap.sent]
    finally:
        repair(certified)
    certified.heard_again(run, known, BACK_WITHIN)
    certified.succeeded(run, 8)
    assert certified.command("get", "flow-runs").returncode == 0
    registered = certified.from_sdk()
    assert registered.returncode == 0, registered.stderr
    said = certified.said_since(position)
    assert said.count(sentence) == 1 and "The server is back." in said and "Traceback" not in said


def test_a_certificate_is_renewed_without_anybody_noticing(certified: Certified) -> None:
    run = certified.talking(6)
    position = len(certified.agent.log.read_text())
    for _ in range(3):
        certified.serve(certified.authority.issue(certified.here))
        pass_time(1)
    certified.succeeded(run, 6)
    assert "not trusted" not in certified.said_since(position)


def test_an_authority_is_exchanged_while_a_run_goes_on(certified: Certified) -> None:
    """The last one: the first authority is unknown afterwards. The file is exchanged as a whole here, which is more than an administrator has to do."""
    new = Authority(certified.folder, "a new authority")
    run = certified.talking(10)
    position = len(certified.agent.log.read_text())
    certified.serve(new.issue(certified.here))
    until("the agent says it", lambda: "does not know" in certified.said_since(position), 30)
    known = len(certified.lines(run))
    certified.authority.file.write_bytes(new.file.read_bytes())
    certified.heard_again(run, known, BACK_WITHIN)
    certified.succeeded(run, 10)
    after = certified.server.create("talks")
    assert certified.server.ended(after).state == "Success"
    assert [one["name"] for one in agents.listed(certified.server.client)] == ["north"]
