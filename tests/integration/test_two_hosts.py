"""Runs that go on when there are two hosts, whose agents keep results in folders of their own: no successful task runs twice unless a person was told
so, also after kill -9."""

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
from appliance import Flow, context, manual_only, task

def note(name):
    with open(pathlib.Path(__file__).parent / f"{context.flow_run_id}.{name}", "a") as file:
        print(os.environ["APPLIANCE_RUN_ATTEMPT"], file=file)
    return context.task_run_count

@task
def extract():
    note("extract")
    return list(range(5))

@task(max_retries=1, retry_delay=timedelta(hours=1))
def flaky(rows):
    if note("flaky") == 1:
        raise ConnectionError("not yet")
    return len(rows)

@task(trigger=manual_only)
def approved(rows):
    note("approved")
    return len(rows)

@task
def die_once(rows):
    if os.environ["APPLIANCE_RUN_ATTEMPT"] == "1":
        note("waiting")
        threading.Event().wait(60)
    return len(rows)

@task(never_repeat=True)
def pay(rows):
    note("pay")
    if os.environ["APPLIANCE_RUN_ATTEMPT"] == "1":
        threading.Event().wait(60)
    return len(rows)

@task
def load(n):
    note("load")

with Flow("long-retry") as long_retry:
    load(flaky(extract()))
with Flow("approval") as approval:
    load(approved(extract()))
with Flow("dies") as dies:
    load(die_once(extract()))
with Flow("pays") as pays:
    load(pay(extract()))
with Flow("quick") as quick:
    load(1)
"""


class Host:
    """An agent with a folder for results of its own."""

    def __init__(self, name: str, url: str, directory: Path) -> None:
        self.name, self.url, self.directory = name, url, directory
        self._stop, self._thread = threading.Event(), threading.Thread()

    def start(self) -> None:
        agent = ProcessAgent(
            Transport(self.url, TOKEN),
            name=self.name,
            state_dir=self.directory / "state",
            roots=ANYWHERE,
            wait=0.3,
            results_url=(self.directory / "results").as_uri(),
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=agent.run, args=(self._stop,))
        self._thread.start()

    def stop(self) -> None:
        """Sign off; its runs continue."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def kill(self, run: UUID) -> None:
        """kill -9 of the run's process."""
        (job,) = [job for _, job, _ in AttemptStore(self.directory / "state").load() if job.flow_run_id == run]
        os.kill(job.pid, signal.SIGKILL)


class Site:
    """A server and two hosts; the tasks note in which attempts they ran."""

    def __init__(self, server: LiveServer, folder: Path) -> None:
        self.server, self.client, self.folder = server, server.client, folder
        self.north, self.south = (Host(name, server.url, folder / name) for name in ("north", "south"))

    def ran(self, run: UUID, task: str) -> list[str]:
        file = self.folder / f"{run}.{task}"
        return file.read_text().split() if file.exists() else []

    def begins(self, run: UUID, slug: str) -> None:
        """Wait until a task is known to run, and does."""

        def is_running(_: object) -> bool:
            return any(one.state == "Running" for one in flow_runs.task_runs(self.client, run, task=slug))

        self.server.until(run, is_running)

    def waits_for_north(self, run: UUID) -> None:
        view = flow_runs.get(self.client, run)
        assert (view.state_type, view.attempt, view.wait_code) == ("SCHEDULED", 1, "no_results"), view
        assert "only agent north can read" in (view.wait_reason or "")


@pytest.fixture
def site(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    file = tmp_path / "flows.py"
    file.write_text(FLOWS)
    settings = {"APPLIANCE_DATABASE_URL": database_url, "APPLIANCE_LONGEST_WAIT": "0.1"}
    live = LiveServer(tmp_path / "data", **settings).start()
    live.register(file)
    monkeypatch.setenv("APPLIANCE_URL", live.url)
    monkeypatch.setenv("APPLIANCE_TOKEN", TOKEN)
    found = Site(live, tmp_path)
    yield found
    found.north.stop()
    found.south.stop()
    live.kill()


@pytest.mark.parametrize("database_url", [pytest.param("sqlite", marks=pytest.mark.full), "postgres"], indirect=True)
def test_a_run_goes_on_where_its_results_are(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    go_on(site, capsys)


def go_on(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Restart, approve, and retry while only the other host is there, and once the first one is back."""
    server, client = site.server, site.client
    site.north.start()
    retried, approval, moved, killed, paying = (
        server.create(flow) for flow in ("long-retry", "approval", "approval", "dies", "pays")
    )
    site.begins(killed, "die_once-1")
    site.begins(paying, "pay-1")  # the server knows before the task begins
    site.north.kill(killed)
    site.north.kill(paying)
    for run, state in ((retried, "AwaitingRetry"), (approval, "Paused"), (moved, "Paused"), (killed, "Crashed")):
        server.until(run, lambda view, state=state: view.state == state)
    assert server.ended(paying).state == "Crashed"

    site.north.stop()
    site.south.start()
    assert invoke(["restart", str(killed)]) == invoke(["resume", str(approval)]) == invoke(["resume", str(moved)]) == 0
    flow_runs.start_now(client, retried)
    assert server.ended(server.create("quick")).state == "Success"  # south takes what it can
    for run in (retried, approval, moved, killed):
        site.waits_for_north(run)

    capsys.readouterr()
    assert invoke(["resume", str(moved), "--anywhere", "--dry-run"]) == 0
    assert "its result is needed and can't be read everywhere" in capsys.readouterr().out
    assert invoke(["resume", str(moved), "--anywhere"]) == 0
    assert "These tasks succeeded and run again" in capsys.readouterr().err
    assert server.ended(moved).state == "Success"
    assert site.ran(moved, "extract") == ["1", "2"]

    assert invoke(["restart", str(paying)]) == invoke(["restart", str(paying), "--dry-run"]) == 2
    assert "Task 'pay' has already begun in attempt 1 and is marked never_repeat" in capsys.readouterr().err
    assert invoke(["mark", str(paying), "Success", "--task", "pay-1"]) == invoke(["restart", str(paying)]) == 0
    assert server.ended(paying).state == "Success"
    assert site.ran(paying, "pay") == site.ran(paying, "extract") == ["1"]

    site.north.start()
    for run in (retried, approval, killed):
        ended = server.ended(run)
        assert (ended.state, ended.attempt) == ("Success", 2)
        assert site.ran(run, "extract") == ["1"]
        assert site.ran(run, "load") == ["2"]
