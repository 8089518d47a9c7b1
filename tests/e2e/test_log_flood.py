"""Runs that write too much, and what is no text, under a process and a Docker agent: their logs are cut with a word about it and stay in order, the server
needs little more memory, and the logs of other runs are not late."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from appliance.client import flow_runs
from appliance.engine.output.lines import LONGEST
from appliance.engine.tracked.log_limit import WINDOW
from appliance.kit import clock
from appliance.packaging.discover import flows_in
from appliance.packaging.register import register
from appliance.packaging.site_store import SiteStore
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.states import TERMINAL
from tests import depth, docker_images
from tests.bench.processes import pss_mb, tree
from tests.conformance.agent_kinds import AgentKind, AgentProcess, Docker, Process
from tests.e2e.appliance_process import until
from tests.integration.live import LiveServer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("docker"), pytest.mark.timeout(600)]
RATE = 2**30 / 60
"""Bytes a second: a gigabyte a minute."""
SECONDS = depth.pick(quick=0.0, normal=6.0, full=60.0)
MOST_MEMORY, LATEST = 50.0, 5.0
"""Megabytes that the server may grow by, and seconds after which lines of other runs must be there."""
FLOWS = """
import os, threading, time
from appliance import Flow, Parameter, get_logger, task

@task
def flood(lines, size, rate):
    pad, at_once, began = b"x" * (size - 11) + b"\\n", max(1, 65_536 // size), time.monotonic()
    for first in range(0, lines, at_once):
        block = b"".join(b"%09d " % number + pad for number in range(first, min(first + at_once, lines)))
        while block:
            block = block[os.write(1, block):]
        time.sleep(max(0.0, first * size / rate - (time.monotonic() - began)))

@task
def tick(folder):
    number = 0
    while not os.path.exists(folder):
        print(f"tick {number}")
        number += 1
        time.sleep(0.2)

@task
def odd():
    os.write(1, b"y" * 10_000_000 + b"\\n")
    print("z" * 10_000_000)
    get_logger().info("w" * 10_000_000)
    print("after the long lines")
    os.write(1, b"\\x1b[31mred\\x1b[0m \\x1b]0;title\\x07 bell\\n")
    os.write(1, bytes(range(256)) * 2 + b"\\n")
    os.write(1, b"caf\\xc3 \\xff\\xfe end\\n")
    print("between")
    os.write(1, b"no newline at the end")

with Flow("flood") as floods:
    flood(Parameter("lines"), Parameter("size"), Parameter("rate"))
with Flow("tick") as ticks:
    tick(Parameter("folder"))
with Flow("odd") as odds:
    odd()
"""


class Site:
    """A server with an agent of each kind."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.server = LiveServer(folder / "data").start()
        stack.callback(self.server.kill)
        project = folder / "project"
        project.mkdir()
        (project / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
        (project / "flows.py").write_text(FLOWS)
        for flow, found in flows_in(project / "flows.py"):
            store = SiteStore(self.server.client, "p", print)
            register(flow, "p", transport=self.server.client, storage=store.default(found))
        kinds: list[AgentKind] = [Process()]
        if not docker_images.missing():
            (folder / "image").mkdir()
            Docker().prepare(folder / "image")
            kinds.append(Docker())
        for kind in kinds:
            agent = AgentProcess(kind, self.server, folder / kind.name, kind.name).start()
            stack.callback(agent.stop)

    def create(self, agent: str, flow: str, **parameters: object) -> UUID:
        request = CreateFlowRun(project="p", flow=flow, labels=[agent], parameters=parameters)
        return flow_runs.create(self.server.client, request).id

    def state(self, run: UUID) -> str:
        return flow_runs.get(self.server.client, run).state_type

    def memory(self) -> float:
        """Of the server's processes, in megabytes."""
        return sum(map(pss_mb, tree(self.server.pid)))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path_factory.mktemp("flood"), stack)


@pytest.fixture(params=["process", "docker"])
def agent(request: pytest.FixtureRequest) -> str:
    if request.param == "docker" and docker_images.missing():
        pytest.skip(docker_images.missing())
    return str(request.param)


class Observer:
    """Looks at the server's memory and at the log of a run that writes five lines a second, until it is closed."""

    def __init__(self, site: Site, run: UUID) -> None:
        self._site, self._run, self._over = site, run, threading.Event()
        self.peak, self.latest, self.lines = 0.0, 0.0, 0
        self._threads = [threading.Thread(target=each) for each in (self._measure, self._follow)]
        for thread in self._threads:
            thread.start()

    def _measure(self) -> None:
        while not self._over.wait(0.1):
            self.peak = max(self.peak, self._site.memory())

    def _follow(self) -> None:
        after = max(line.id for line in flow_runs.logs(self._site.server.client, self._run))
        while not self._over.wait(0.2):
            for line in flow_runs.logs(self._site.server.client, self._run, after=after):
                after = line.id
                if line.message.startswith("tick"):
                    self.lines += 1
                    self.latest = max(self.latest, (clock.now() - line.at).total_seconds())

    def close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@contextmanager
def observed(site: Site, folder: Path) -> Iterator[Observer]:
    end = folder / "end"
    ticking = site.create("process", "tick", folder=str(end))
    site.server.until(ticking, lambda _view: any(True for _ in flow_runs.logs(site.server.client, ticking)))
    observer = Observer(site, ticking)
    yield observer
    observer.close()
    end.touch()
    assert site.server.ended(ticking).state == "Success"


@pytest.mark.parametrize("size", [100, 10_000], ids=["short lines", "long lines"])
def test_a_gigabyte_a_minute_is_cut_and_holds_up_nobody(site: Site, agent: str, size: int, tmp_path: Path) -> None:
    lines = int(RATE * SECONDS / size)
    before = site.memory()
    with observed(site, tmp_path) as observer:
        began = time.monotonic()
        run = site.create(agent, "flood", lines=lines, size=size, rate=RATE)
        until("the flood is over", lambda: site.state(run) in TERMINAL, 5 * SECONDS + 60)
        took = time.monotonic() - began
    log = list(flow_runs.logs(site.server.client, run))
    numbers = [int(line.message[:9]) for line in log if line.message.endswith("xxx")]
    gaps = [line.message for line in log if line.level == "WARNING"]
    print(
        f"{agent}, lines of {size:,} bytes: {lines:,} in {took:.1f} s, {len(numbers):,} kept; server {before:.0f} to {observer.peak:.0f} MB; "
        f"{observer.lines} lines of another run, at most {observer.latest:.2f} s late; {gaps}"
    )
    assert site.state(run) == "SUCCESS"
    assert numbers == sorted(set(numbers)) and numbers[0] == 0
    assert 1_000 < len(numbers) <= 1_000 * (took + WINDOW)
    if size < 1_000:  # the run itself leaves lines out, and counts them; one may be cut in two where a gap begins
        dropped = sum(int(gap.partition(" lines (")[0].replace(",", "")) for gap in gaps)
        assert 0 <= len(numbers) + dropped - lines <= len(gaps)
    else:  # the server does, since they are too many bytes
        assert any("further lines of this minute are not kept" in gap for gap in gaps)
    assert observer.peak - before <= MOST_MEMORY
    assert observer.lines > 10 and observer.latest <= LATEST


def test_what_is_no_text_is_shown_as_far_as_it_can_be(site: Site, agent: str) -> None:
    """What is written in one way stays in order. What a program writes beside may come a moment later than what is printed."""
    run = site.create(agent, "odd")
    assert site.server.ended(run).state == "Success"
    log = [line for line in flow_runs.logs(site.server.client, run) if line.task_slug == "odd-1" and line.stream]
    logged = [line.message for line in flow_runs.logs(site.server.client, run) if line.message.startswith("www")]
    messages = [line.message for line in log]
    assert [len(message) for message in logged] == [65_536] and logged[0].endswith(
        "truncated: the message is too long."
    )
    more = f" ... ({10_000_000 - LONGEST:,} more characters)"
    printed = ["z" * LONGEST + more, "after the long lines", "between"]
    assert [message for message in messages if message in printed] == printed
    control = "".join(map(chr, range(0x0E, 0x80))) + 128 * "\ufffd"  # a carriage return overwrites what was before
    start = "\ufffd" + "".join(map(chr, range(1, 10)))
    written = [
        "y" * LONGEST + more,
        "\x1b[31mred\x1b[0m \x1b]0;title\x07 bell",
        *[start, control + start, control],
        "caf\ufffd \ufffd\ufffd end",
        "no newline at the end",
    ]
    assert [message for message in messages if message not in printed] == written
