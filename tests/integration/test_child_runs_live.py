"""Flows that start flows, with a real server, agent, and processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from appliance.client import concurrency, flow_runs
from appliance.kit import crash
from appliance.protocol.flow_runs import FlowRunView
from appliance.protocol.run_filter import RunFilter
from appliance.protocol.states import TERMINAL
from tests import depth
from tests.integration import live
from tests.integration.databases import new_url
from tests.integration.live import LiveServer
from tests.integration.test_process_agent import Host

WIDTH = depth.pick(quick=5, normal=25, full=500)
FLOWS = """
import os
from pathlib import Path
from appliance import (
    Flow, LocalResult, Parameter, RunFlow, create_flow_run, get_task_run_result, run_flow, task, wait_for_flow_run,
)
from appliance.triggers import all_finished

HERE = Path(__file__).parent

@task
def work(name, n):
    with (HERE / name).open("a") as file:
        file.write(f"{n}\\n")
    if (HERE / f"{name}.broken").exists():
        raise ValueError("out of paper")
    while (HERE / f"{name}.hold").exists():
        os.stat(HERE)
    return n

@task
def look(child):
    (HERE / "seen").write_text(f"{child.flow} {child.state} {child.url}")

PLACE = LocalResult(HERE / "results")

with Flow("child", result=PLACE) as child:
    work(Parameter("name", default="child"), Parameter("n", default=1))

with Flow("parent") as parent:
    name = Parameter("name", default="child")
    look(child.as_task()(name=name, n=5))

@task(tags=["narrow"])
def free():
    pass

with Flow("tagged") as tagged:
    name = Parameter("name")
    waits = [run_flow("child", {"name": name, "n": n}, tags=["narrow"]) for n in (1, 2)]
    free()

with Flow("patient") as patient:
    run_flow("child", {"name": Parameter("name")}, timeout=0.5)

@task
def keep(n):
    (HERE / "kept").write_text(f"{n}")

with Flow("reader", result=PLACE) as reader:
    started = create_flow_run("child", parameters={"name": "reader", "n": 7})
    waited = wait_for_flow_run(started, raise_final_state=True)
    keep(get_task_run_result(started, "work-1", upstream_tasks=[waited]))

with Flow("wide") as wide:
    RunFlow("child", name="each").map(parameters=[{"name": "wide", "n": n} for n in range(int((HERE / "width").read_text()))])

@task
def double(n):
    return 2 * n

@task
def check(n):
    if n == 1:
        raise ValueError("out of paper")
    return n

with Flow("checks", result=PLACE) as checks:
    check(Parameter("n"))

with Flow("mixed", result=PLACE) as mixed:
    each = RunFlow("checks", name="each").map(parameters=[{"n": 0}, {"n": 1}, {"n": 2}])
    done = checks.as_task(name="done")(n=3)
    read = get_task_run_result(done, "check-1")
    double(read)
    unread = get_task_run_result(checks.as_task(name="broken", trigger=all_finished)(n=1), "check-1")
    run_flow("checks", {"n": 1}, wait=False, name="not awaited")
    late = run_flow("checks", {"n": 4}, name="after all", trigger=all_finished, upstream_tasks=[each])
    wait_for_flow_run(create_flow_run("checks", parameters={"n": 1}))

with Flow("many") as many:
    RunFlow("child").map(parameters=[{"n": 1}, {"n": 2}, {"n": 3}])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flows")
    (path / "flows.py").write_text(FLOWS)
    (path / "width").write_text(str(WIDTH))
    return path


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(
    tmp_path_factory: pytest.TempPathFactory, folder: Path, request: pytest.FixtureRequest
) -> Iterator[LiveServer]:
    place = tmp_path_factory.mktemp("server")
    settings = {"APPLIANCE_DATABASE_URL": new_url(request, place), "APPLIANCE_CANCEL_GRACE": "1"}
    live = LiveServer(place / "data", **settings).start()
    live.register(folder / "flows.py")
    yield live
    live.kill()


@pytest.fixture
def host(server: LiveServer, tmp_path: Path) -> Iterator[Host]:
    host = Host(server, tmp_path)
    host.start()
    yield host
    host.stop()


def children(server: LiveServer, run: UUID) -> list[FlowRunView]:
    return list(flow_runs.each(server.client, RunFilter(q=f"parent:{run}", include_future=False)))


def until_child(server: LiveServer, run: UUID, number: int = 1) -> list[FlowRunView]:
    server.until(run, lambda _view: len(children(server, run)) >= number)
    return children(server, run)


def task_of(server: LiveServer, run: UUID, slug: str = "child-1") -> Any:
    return next(one for one in flow_runs.task_runs(server.client, run) if one.task_slug == slug)


def states_of(server: LiveServer, run: UUID) -> set[tuple[str, str]]:
    return {(one.task_slug, one.state) for one in flow_runs.task_runs(server.client, run)}


def lines(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text().split()


def test_a_run_starts_its_child_waits_and_gets_its_result(server: LiveServer, host: Host, folder: Path) -> None:
    run = server.create("parent", name=f"a{os.getpid()}")
    assert server.ended(run).state == "Success"
    (child,) = children(server, run)
    assert (child.flow, child.state, child.parameters["n"]) == ("child", "Success", 5)
    assert (folder / "seen").read_text() == f"child Success {server.url}/runs/{child.id}"
    assert task_of(server, run).state_message == f"Run {child.name} of flow 'child' (/runs/{child.id}) succeeded."


def test_a_failed_child_fails_its_parent_and_a_restart_restarts_both(
    server: LiveServer, host: Host, folder: Path, request: pytest.FixtureRequest
) -> None:
    name = f"b{id(request)}"
    (folder / f"{name}.broken").touch()
    run = server.create("parent", name=name)
    assert server.ended(run).state == "Failed"
    (child,) = children(server, run)
    message = task_of(server, run).state_message
    assert message.startswith(f"Run {child.name} of flow 'child' (/runs/{child.id}) failed: ")
    assert "out of paper" in message
    (folder / f"{name}.broken").unlink()
    flow_runs.restart(server.client, run)
    assert server.ended(run).state == "Success"
    assert [(one.id, one.attempt, one.state) for one in children(server, run)] == [(child.id, 2, "Success")]
    assert lines(folder, name) == ["5", "5"]


def test_a_killed_parent_finds_its_child_again(
    server: LiveServer, host: Host, folder: Path, request: pytest.FixtureRequest
) -> None:
    name = f"c{id(request)}"
    (folder / f"{name}.hold").touch()
    run = server.create("parent", name=name)
    (child,) = until_child(server, run)
    job = next(job for _, job, end in host.attempts.load() if end is None and job.flow_run_id == run)
    os.kill(job.pid, signal.SIGKILL)
    assert server.ended(run).state == "Crashed"
    flow_runs.restart(server.client, run)
    server.until(run, lambda view: view.state == "Running" and view.attempt == 2)
    (folder / f"{name}.hold").unlink()
    assert server.ended(run).state == "Success"
    assert [one.id for one in children(server, run)] == [child.id]
    assert lines(folder, name) == ["5"]


def test_cancelling_the_parent_cancels_the_child(
    server: LiveServer, host: Host, folder: Path, request: pytest.FixtureRequest
) -> None:
    name = f"d{id(request)}"
    (folder / f"{name}.hold").touch()
    run = server.create("parent", name=name)
    (child,) = until_child(server, run)
    server.until(child.id, lambda view: view.state == "Running")
    flow_runs.cancel(server.client, run)
    assert server.ended(run).state == "Cancelled"
    assert server.ended(child.id).state == "Cancelled"


def test_a_child_that_somebody_cancels_cancels_the_task(
    server: LiveServer, host: Host, folder: Path, request: pytest.FixtureRequest
) -> None:
    name = f"e{id(request)}"
    (folder / f"{name}.hold").touch()
    run = server.create("parent", name=name)
    (child,) = until_child(server, run)
    flow_runs.cancel(server.client, child.id, "Not today.")
    ended = server.ended(run)
    assert ended.state_type in TERMINAL
    assert task_of(server, run).state == "Cancelled"
    reason = server.ended(child.id).state_message  # a run that is stopped while it begins may not learn the person's
    assert task_of(server, run).state_message.endswith(f"was cancelled: {reason}")


def test_children_run_where_their_parent_holds_the_only_place(server: LiveServer, tmp_path: Path) -> None:
    host = Host(server, tmp_path, capacity=1)
    host.start()
    try:
        run = server.create("many")
        assert server.ended(run).state == "Success"
        assert sorted(one.parameters["n"] for one in children(server, run)) == [1, 2, 3]
        assert flow_runs.get(server.client, run).attempt > 1
    finally:
        host.stop()


def test_a_run_reads_what_a_task_of_its_child_has_returned(server: LiveServer, host: Host, folder: Path) -> None:
    run = server.create("reader")
    assert server.ended(run).state == "Success", flow_runs.get(server.client, run).state_message
    assert (folder / "kept").read_text() == "7"
    assert task_of(server, run, "get_task_run_result-1").state_message == "The result was read."


def test_the_timeout_of_a_task_counts_its_wait_for_the_child(
    server: LiveServer, host: Host, folder: Path, request: pytest.FixtureRequest
) -> None:
    name = f"f{id(request)}"
    (folder / f"{name}.hold").touch()
    run = server.create("patient", name=name)
    assert server.ended(run).state == "Failed"
    (child,) = children(server, run)
    ended = task_of(server, run)
    assert ended.state == "TimedOut"
    assert "The task's timeout of 0.5 s is over; the child goes on." in ended.state_message
    (folder / f"{name}.hold").unlink()
    assert server.ended(child.id).state == "Success"


def test_a_task_that_waits_for_its_child_takes_no_slot_of_its_tags(
    server: LiveServer, host: Host, folder: Path, request: pytest.FixtureRequest
) -> None:
    name = f"i{id(request)}"
    (folder / f"{name}.hold").touch()
    concurrency.put(server.client, "task_tag", "narrow", 1)
    run = server.create("tagged", name=name)
    until_child(server, run, 2)
    server.until(run, lambda _view: ("free-narrow-1", "Success") in states_of(server, run))
    (folder / f"{name}.hold").unlink()
    assert server.ended(run).state == "Success"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_wide_parent_that_is_killed_and_restarted_has_each_child_once(
    server: LiveServer, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LIMIT", 900.0)
    (folder / "wide").unlink(missing_ok=True)
    host = Host(server, tmp_path, capacity=4)
    host.start()
    try:
        run = server.create("wide")
        server.until(run, lambda view: sum(view.children.values()) >= max(1, WIDTH // 3))
        job = next(job for _, job, end in host.attempts.load() if end is None and job.flow_run_id == run)
        os.kill(job.pid, signal.SIGKILL)
        assert server.ended(run).state == "Crashed"
        flow_runs.restart(server.client, run)
        assert server.ended(run).state == "Success"
    finally:
        host.stop()
    started = children(server, run)
    assert sorted(str(one.parent_map_index) for one in started) == sorted(map(str, range(WIDTH)))
    assert {(one.state, one.attempt) for one in started} == {("Success", 1)}
    assert sorted(lines(folder, "wide")) == sorted(map(str, range(WIDTH)))
    assert flow_runs.get(server.client, run).children == {"SUCCESS": WIDTH}


LOCALLY = """
import json, flows
state = flows.mixed.run(progress=False)
names = {}
for task, slug in flows.mixed.slugs.items():
    one = state.result[task]
    names[f"{slug}[-1]"] = type(one).__name__
    names |= {f"{slug}[{index}]": type(child).__name__ for index, child in enumerate(getattr(one, "map_states", ()))}
print(json.dumps([type(state).__name__, names]))
"""


def test_a_parent_ends_as_it_does_without_a_server(server: LiveServer, host: Host, folder: Path) -> None:
    run = server.create("mixed")
    view = server.ended(run)
    tracked = {f"{one.task_slug}[{one.map_index}]": one.state for one in flow_runs.task_runs(server.client, run)}
    done = subprocess.run([sys.executable, "-c", LOCALLY], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [view.state, tracked]


def test_a_parent_that_dies_between_creating_its_child_and_waiting_for_it_finds_it_again(
    server: LiveServer, tmp_path: Path, folder: Path, request: pytest.FixtureRequest
) -> None:
    name = f"h{id(request)}"
    dying = Host(server, tmp_path / "dying", run_environ={crash.VARIABLE: "runner.child.created:1:kill"})
    dying.start()
    run = server.create("parent", name=name)
    assert server.ended(run).state == "Crashed"
    dying.stop()
    host = Host(server, tmp_path / "other")
    host.start()
    try:
        flow_runs.restart(server.client, run)
        assert server.ended(run).state == "Success"
        (child,) = children(server, run)
        assert (child.attempt, lines(folder, name)) == (1, ["5"])
    finally:
        host.stop()


@pytest.mark.parametrize("place", ["applied", "committed"])
def test_a_server_that_dies_while_it_creates_a_child_has_one_afterwards(
    tmp_path: Path, folder: Path, request: pytest.FixtureRequest, place: str
) -> None:
    server = LiveServer(tmp_path / "data", APPLIANCE_CRASH=f"child.{place}:1:kill").start()
    host = Host(server, tmp_path / "agent")
    try:
        server.register(folder / "flows.py")
        host.start()
        name = f"g{id(request)}"
        run = server.create("parent", name=name)
        server.restart_after_its_crash()
        assert server.ended(run).state == "Success"
        (child,) = children(server, run)
        assert (child.state, child.attempt, lines(folder, name)) == ("Success", 1, ["5"])
    finally:
        host.stop()
        server.kill()
