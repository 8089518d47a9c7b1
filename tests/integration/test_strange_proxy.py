"""An agent and its runs behind a proxy that answers for the server: nothing that it says ends a healthy run."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.agents.process import ProcessAgent
from appliance.client import flow_runs
from appliance.client.transport import Transport
from tests.depth import pick
from tests.integration.live import TOKEN, LiveServer
from tests.integration.strange_proxy import StrangeProxy, in_turn, raw
from tests.roots import ANYWHERE
from tests.unit.client.strangers import BODIES, HEADERS, STATUSES

pytestmark = pytest.mark.slow

FLOWS = """
from pathlib import Path
import threading
from appliance import Flow, Parameter, get_logger, task

@task
def until(path):
    number, pause = 0, threading.Event()
    while not Path(path).exists():
        get_logger().info("line %d", number)
        number += 1
        pause.wait(0.01)
    return number

@task(tags=["scarce"])
def limited(number):
    return number

with Flow("patient") as patient_flow:
    limited(until(Parameter("path")))

@task
def talk(lines, letter):
    for number in range(lines):
        get_logger().info("%d %s", number, letter * 60_000)

with Flow("talkative") as talkative_flow:
    talk(Parameter("lines", default=40), Parameter("letter", default="x"))
"""

EVERY_REQUEST = {"begin", "report", "slots", "enrol", "claim", "agent report"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    directory = tmp_path_factory.mktemp("strange")
    (directory / "flows.py").write_text(FLOWS)
    live = LiveServer(directory / "data", APPLIANCE_HEARTBEAT_INTERVAL="0.2").start()
    live.register(directory / "flows.py")
    live.client.ask("PUT", "/api/v1/concurrency-limits", dict, b'{"kind":"task_tag","name":"scarce","slots":1}')
    yield live
    live.kill()


class Host:
    """An agent in a thread that reaches the server only through the proxy."""

    def __init__(self, url: str, state_dir: Path) -> None:
        self._stop = threading.Event()
        agent = ProcessAgent(
            Transport(url, TOKEN), name="strange", state_dir=state_dir, roots=ANYWHERE, wait=0.1, warm=False
        )
        self._thread = threading.Thread(target=self._run, args=(agent,))
        self.code: int | None = None

    def _run(self, agent: ProcessAgent) -> None:
        self.code = agent.run(self._stop)

    def __enter__(self) -> Host:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._thread.join()


def strange_answers() -> list[bytes]:
    """Every status with some headers and some body, and every header and every body with some status."""
    bodies, headers = itertools.cycle(BODIES.values()), itertools.cycle(HEADERS.values())
    ordinary = [raw(status, next(headers), next(bodies)) for status in STATUSES]
    likely = [raw(status, {}, b"<html>") for status in (404, 401, 403, 302, 413, 429, 500, 502, 503, 200)]
    broken = [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
    ]
    chosen = ordinary[:: pick(quick=25, normal=8, full=1)]
    return [*likely, *broken, *chosen, *likely, *likely]


def test_no_answer_of_a_proxy_ends_a_healthy_run(server: LiveServer, tmp_path: Path) -> None:
    answers = strange_answers()
    left = iter(answers)
    way_free = threading.Event()

    def hand_out() -> Iterator[bytes]:
        yield from left
        way_free.set()

    go_on = tmp_path / "go on"
    with (
        StrangeProxy(server.url, in_turn(hand_out())) as proxy,
        Host(proxy.url, tmp_path / "agent") as host,
    ):
        run = server.create("patient", path=str(go_on))
        assert way_free.wait(300)
        proxy.fault = in_turn(iter(strange_answers()[:14] * 3))  # the end of a run has requests of its own
        go_on.touch()
        assert server.ended(run).state == "Success"
        assert set(proxy.strange) >= EVERY_REQUEST - {"agent report"}
        assert host.code is None
        lines = [line.message for line in flow_runs.logs(server.client, run) if line.message.startswith("line ")]
    assert lines == [f"line {number}" for number in range(len(lines))]
    states = [state.name for state in flow_runs.states(server.client, run)]
    assert (states.count("Running"), states[-1]) == (1, "Success")
    assert {task.state for task in flow_runs.task_runs(server.client, run)} == {"Success"}


@pytest.mark.parametrize(
    ("limit", "letter", "cut"), [(1024 * 1024, "x", False), (1024 * 1024, "\u00e9", False), (100 * 1024, "x", True)]
)
def test_a_limit_on_bodies_loses_no_line(
    server: LiveServer, tmp_path: Path, limit: int, letter: str, cut: bool
) -> None:
    with StrangeProxy(server.url) as proxy, Host(proxy.url, tmp_path / "agent"):
        proxy.limit = limit
        run = server.create("talkative", letter=letter)
        assert server.ended(run).state == "Success"
        lines = [line for line in flow_runs.logs(server.client, run) if letter * 10 in line.message]
    assert [int(line.message.split()[0]) for line in lines] == list(range(40))
    assert any("truncated" in line.message for line in lines) is cut
    assert (proxy.longest > limit) is cut
