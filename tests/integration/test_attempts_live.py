"""Runs of several attempts with real processes: each attempt is another process, and what finished in one is not run in the next."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from appliance.agents.attempts import AttemptStore
from appliance.agents.process import ProcessAgent
from appliance.cli.root import invoke
from appliance.client import flow_runs
from appliance.client.transport import Transport
from tests.integration.live import TOKEN, LiveServer
from tests.roots import ANYWHERE

FLOWS = """
import os, pathlib, threading
from datetime import timedelta
from appliance import Flow, Task, always_run, context, get_logger, manual_only, task

def note(name):
    with open(pathlib.Path(__file__).parent / f"{context.flow_run_id}.{name}", "a") as file:
        print(os.getpid(), file=file)
    return context.task_run_count

@task
def extract():
    note("extract")
    return list(range(5))

@task(max_retries=1, retry_delay=timedelta(seconds=0.4))
def flaky(rows):
    if note("flaky") == 1:
        raise ConnectionError("not yet")
    return len(rows)

@task
def load(n):
    note("load")
    get_logger().info("loaded %d", n)

with Flow("long-retry") as long_retry:
    load(flaky(extract()))

@task(trigger=manual_only)
def approved(rows):
    note("approved")
    return len(rows)

with Flow("approval") as approval:
    load(approved(extract()))

@task
def die_once(rows):
    marker = pathlib.Path(__file__).parent / f"{context.flow_run_id}.died"
    if not marker.exists():
        marker.touch()
        get_logger().info("ready to die")
        threading.Event().wait(60)
    return len(rows)

with Flow("dies") as dies:
    load(die_once(extract()))

class CleanUp(Task):
    runs_on_cancel = True

    def run(self, rows):
        note("cleanup")

@task
def wait(rows):
    get_logger().info("waiting")
    threading.Event().wait(60)

with Flow("resource") as resource:
    opened = extract()
    waited = wait(opened)
    CleanUp(name="cleanup", trigger=always_run)(opened, upstream_tasks=[waited])
"""


@pytest.fixture(scope="module")
def flow_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flows") / "flows.py"
    path.write_text(FLOWS)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, flow_file: Path) -> Iterator[LiveServer]:
    directory = tmp_path_factory.mktemp("server")
    live = LiveServer(directory / "data", APPLIANCE_LONGEST_WAIT="0.1", APPLIANCE_CANCEL_GRACE="5").start()
    live.register(flow_file)
    state_dir, results = tmp_path_factory.mktemp("agent"), (directory / "results").as_uri()
    stop = threading.Event()
    agent = ProcessAgent(
        Transport(live.url, TOKEN),
        name="host",
        state_dir=state_dir,
        roots=ANYWHERE,
        wait=0.3,
        results_url=results,
        capacity=2,
    )
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    live.attempts = AttemptStore(state_dir)  # type: ignore[attr-defined]
    yield live
    stop.set()
    thread.join()
    live.kill()


def processes(flow_file: Path, run: UUID, task: str) -> list[str]:
    """The processes in which a task was called, one for each call."""
    file = flow_file.parent / f"{run}.{task}"
    return file.read_text().split() if file.exists() else []


def ready(server: LiveServer, run: UUID, word: str) -> None:
    server.until(run, lambda _: any(word in line.message for line in flow_runs.logs(server.client, run)))


def test_a_long_retry_goes_on_in_another_process(server: LiveServer, flow_file: Path) -> None:
    run = server.create("long-retry")
    ended = server.ended(run)
    assert (ended.state, ended.attempt) == ("Success", 2)
    first, second = processes(flow_file, run, "flaky")
    assert first != second
    assert processes(flow_file, run, "extract") == [first]
    assert processes(flow_file, run, "load") == [second]
    assert [state.name for state in flow_runs.states(server.client, run)] == [
        *("Scheduled", "Submitted", "Running", "AwaitingRetry"),
        *("Submitted", "Running", "Success"),
    ]


def test_a_person_approves_at_the_command_line(
    server: LiveServer, flow_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APPLIANCE_URL", server.url)
    monkeypatch.setenv("APPLIANCE_TOKEN", TOKEN)
    run = server.create("approval")
    server.until(run, lambda view: view.state == "Paused")
    assert processes(flow_file, run, "approved") == []
    assert invoke(["resume", str(run), "--task", "extract-1"]) == 2
    assert invoke(["resume", str(run), "--task", "approved-1", "--reason", "fine"]) == 0
    ended = server.ended(run)
    assert (ended.state, ended.attempt) == ("Success", 2)
    assert len(processes(flow_file, run, "extract")) == len(processes(flow_file, run, "approved")) == 1
    shown = capsys.readouterr()
    assert "The task extract-1 of this run is not paused" in shown.err
    assert f"Run {ended.name} is Resume." in shown.out


def test_a_run_that_was_killed_is_restarted_with_the_results_it_had(
    server: LiveServer, flow_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_URL", server.url)
    monkeypatch.setenv("APPLIANCE_TOKEN", TOKEN)
    run = server.create("dies")
    ready(server, run, "ready to die")
    (job,) = [job for _, job, _ in server.attempts.load() if job.flow_run_id == run]  # type: ignore[attr-defined]
    os.kill(job.pid, signal.SIGKILL)
    assert server.ended(run).state == "Crashed"
    assert invoke(["restart", str(run), "--reason", "it was killed"]) == 0
    server.until(run, lambda view: view.attempt == 2)
    ended = server.ended(run)
    assert (ended.state, ended.attempt) == ("Success", 2)
    assert len(processes(flow_file, run, "extract")) == len(processes(flow_file, run, "load")) == 1


def test_what_tidies_up_does_so_when_the_run_is_cancelled(server: LiveServer, flow_file: Path) -> None:
    run = server.create("resource")
    ready(server, run, "waiting")
    flow_runs.cancel(server.client, run)
    assert server.ended(run).state == "Cancelled"
    assert len(processes(flow_file, run, "cleanup")) == 1
    found = {one.task_slug: one.state for one in flow_runs.task_runs(server.client, run)}
    assert found == {"extract-1": "Success", "wait-1": "Cancelled", "cleanup-1": "Success"}
