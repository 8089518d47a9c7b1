"""A run that failed on one host goes on at another that shares no folder with it: the appliance keeps the results."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from appliance.agents.process import ProcessAgent
from appliance.client import flow_runs, results, system
from appliance.client.transport import Transport
from appliance.engine.results.appliance import ApplianceResult
from appliance.server.db.session import Database
from tests.integration import builders
from tests.integration.live import TOKEN, LiveServer
from tests.roots import ANYWHERE

FLOWS = """
import os, pathlib, threading
from datetime import timedelta
from appliance import Flow, all_inputs, context, get_logger, task

HERE = pathlib.Path(__file__).parent

def note(name):
    with open(HERE / f"{name}.calls", "a") as file:
        print(os.getpid(), file=file)

@task
def extract():
    note("extract")
    return list(range(20))

@task
def triple(n):
    note("triple")
    return 3 * n

@task
def large():
    note("large")
    return b"x" * 300_000

@task(cache_for=timedelta(hours=1), cache_validator=all_inputs)
def cached(n):
    note("cached")
    return n + 1

@task(target="{flow_name}.target")
def kept():
    note("kept")
    return "kept"

@task
def hold(values):
    note("hold")
    get_logger().info("holding")
    go = HERE / "go"
    while not go.exists():
        threading.Event().wait(0.02)
    return sum(values)

@task
def load(total, blob, number, text):
    note("load")
    if not (HERE / "repaired").exists():
        raise ConnectionError("not yet")
    return [total, len(blob), number, text]

with Flow("across") as across:
    load(hold(triple.map(extract())), large(), cached(1), kept())
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "flows.py").write_text(FLOWS)
    return tmp_path / "code"


@pytest.fixture
def server(tmp_path: Path, here: Path) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path / "data").start()
    live.register(here / "flows.py")
    yield live
    live.kill()


@contextmanager
def host(server: LiveServer, state_dir: Path) -> Iterator[None]:
    """An agent with a folder of its own, whose runs keep their results with the appliance."""
    stop = threading.Event()
    transport = Transport(server.url, TOKEN)
    agent = ProcessAgent(
        transport, name=state_dir.name, state_dir=state_dir, roots=ANYWHERE, wait=0.3, results_url="appliance:"
    )
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def calls(here: Path) -> dict[str, int]:
    return {file.stem: len(file.read_text().split()) for file in here.glob("*.calls")}


def test_a_restart_on_another_host_repeats_nothing(server: LiveServer, here: Path, tmp_path: Path) -> None:
    run = server.create("across")
    with host(server, tmp_path / "first"):
        server.until(run, lambda _: any("holding" in line.message for line in flow_runs.logs(server.client, run)))
        server.kill()  # results of the first half are kept, those of the second must wait
        (here / "go").touch()
        server.start()
        assert server.ended(run).state == "Failed"
    once = {"extract": 1, "triple": 20, "large": 1, "cached": 1, "kept": 1, "hold": 1}
    assert calls(here) == once | {"load": 1}
    (here / "repaired").touch()
    with host(server, tmp_path / "second"):
        flow_runs.restart(server.client, run)
        server.until(run, lambda view: view.attempt == 2)
        ended = server.ended(run)
        assert (ended.state, ended.attempt) == ("Success", 2)
        assert calls(here) == once | {"load": 2}
        again = server.create("across")
        assert server.ended(again).state == "Success"
    repeated = calls(here)
    assert (repeated["cached"], repeated["kept"], repeated["triple"]) == (1, 1, 40)
    read_what_it_kept(server, run, Database(f"sqlite:///{tmp_path / 'data' / 'appliance.db'}"))
    assert not (tmp_path / "data" / "results").exists()


def read_what_it_kept(server: LiveServer, run: UUID, database: Database) -> None:
    """As an administrator does, in a notebook."""
    query = "select result_location from task_run where task_slug = 'load-1' and flow_run_id = :run"
    location = builders.one(database, query, run=run)["result_location"]
    assert location.split("/")[3] == str(run)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("APPLIANCE_URL", server.url)
        environment.setenv("APPLIANCE_TOKEN", TOKEN)
        assert ApplianceResult().read(location) == [570, 300_000, 2, "kept"]
    kept, _next = results.page(server.client, "p")
    assert {"across.target"} < {one.location for one in kept if one.flow_run_id is None}
    assert len(kept) < 20, "small results lie together"
    assert system.disk(server.client)["results"] == len(kept)
