"""The process agent against a real server: what it alone does, beside the suite for all agents (tests/conformance/test_agents.py)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from appliance.agents.attempts import AttemptRecord, AttemptStore
from appliance.agents.process import ProcessAgent
from appliance.client import flow_runs
from appliance.client.transport import Transport
from tests.integration.live import TOKEN, LiveServer
from tests.roots import ANYWHERE

FLOWS = """
from appliance import Flow, Parameter, get_logger, task

@task(log_stdout=True)
def hello(name):
    print("hello", name)
    get_logger().warning("look out")
    return name

with Flow("hello") as hello_flow:
    hello(Parameter("name", default="world"))
"""


@pytest.fixture(scope="module")
def flow_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flows") / "flows.py"
    path.write_text(FLOWS)
    (path.parent / "msgspec.py").write_text("raise RuntimeError('a file beside the flow was taken for a library')")
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, flow_file: Path) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("server") / "data", APPLIANCE_CANCEL_GRACE="1").start()
    live.register(flow_file)
    yield live
    live.kill()


class Host:
    """An agent in a thread, as it would run on a host of its own."""

    def __init__(self, server: LiveServer, state_dir: Path, warm: bool = True, **options: Any) -> None:
        self._server, self._state_dir, self._options = server, state_dir, {"warm": warm, "roots": ANYWHERE, **options}
        self.attempts = AttemptStore(state_dir)

    def start(self) -> None:
        self._stop = threading.Event()
        transport = Transport(self._server.url, TOKEN)
        agent = ProcessAgent(transport, name="host", state_dir=self._state_dir, wait=0.3, **self._options)
        self._thread = threading.Thread(target=agent.run, args=(self._stop,))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def job(self) -> AttemptRecord:
        """The one that is at work."""
        (found,) = [job for _, job, end in self.attempts.load() if end is None]
        return found


@pytest.fixture
def host(server: LiveServer, tmp_path: Path) -> Iterator[Host]:
    host = Host(server, tmp_path)
    host.start()
    yield host
    host.stop()


def is_measured(server: LiveServer, run: UUID) -> None:
    used = server.until(run, lambda view: view.cpu_seconds is not None)
    assert used.cpu_seconds and used.cpu_seconds < 60
    assert used.peak_memory and 2**24 < used.peak_memory < 2**30


@pytest.mark.parametrize("warm", [True, False])
def test_a_run_succeeds_with_its_states_and_lines(server: LiveServer, tmp_path: Path, warm: bool) -> None:
    host = Host(server, tmp_path, warm)
    host.start()
    try:
        run = server.create("hello", name="you")
        assert server.ended(run).state == "Success"
        assert [state.name for state in flow_runs.states(server.client, run)][-2:] == ["Running", "Success"]
        lines = {(line.message, line.level, line.task_slug) for line in flow_runs.logs(server.client, run)}
        assert {("hello you", "INFO", "hello-1"), ("look out", "WARNING", "hello-1")} <= lines
        found = {task.task_slug: task.state for task in flow_runs.task_runs(server.client, run)}
        assert found == {"hello-1": "Success", "name": "Success"}
        is_measured(server, run)
    finally:
        host.stop()


def test_a_run_waits_for_the_code_of_a_changed_file_and_continues_when_it_is_registered(
    server: LiveServer, host: Host, tmp_path: Path
) -> None:
    file = tmp_path / "changing.py"
    file.write_text(
        "from appliance import Flow, task\n\n@task\ndef a():\n    pass\n\nwith Flow('changing') as flow:\n    a()\n"
    )
    server.register(file)
    file.write_text(file.read_text() + "\n# changed\n")
    run = server.create("changing")
    waiting = server.until(run, lambda view: view.wait_code == "no_code")
    assert waiting.wait_reason == (
        "The flow file changing.py has changed since it was registered. Register it again and the run continues, or cancel the run."
    )
    server.register(file)
    assert server.ended(run).state == "Success"
    history = [state.message for state in flow_runs.states(server.client, run)]
    assert any(message.startswith("Moved from version 1 to version 2") for message in history)


def test_a_run_that_has_begun_with_other_code_says_which_code_lets_it_continue(
    server: LiveServer, host: Host, tmp_path: Path
) -> None:
    file = tmp_path / "mending.py"
    failing = "from appliance import Flow, task\n\n@task\ndef a():\n    raise ValueError\n\nwith Flow('mending') as flow:\n    a()\n"
    file.write_text(failing)
    server.register(file)
    run = server.create("mending")
    assert server.ended(run).state == "Failed"
    file.write_text(failing.replace("raise ValueError", "pass"))
    flow_runs.restart(server.client, run)
    waiting = server.until(run, lambda view: view.wait_code == "no_code")
    assert waiting.wait_reason == (
        "The code of version 1, with which the run has begun, can't be obtained any more: The flow file mending.py has changed since it was "
        "registered. Register that code again and the run continues, or cancel the run and restart it with the newest version."
    )
    file.write_text(failing)
    server.register(file)
    assert server.ended(run).state == "Failed"
