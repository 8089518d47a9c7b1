"""A tracked run against the real app in this process: what the server knows afterwards is what happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from appliance.client import agents, flow_runs
from appliance.client import run_protocol as runs
from appliance.client.transport import Transport
from appliance.config import Settings
from appliance.core.annotations import unmapped
from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.parameter import Parameter
from appliance.core.states import State
from appliance.core.task_decorator import task
from appliance.engine.executors.threads import ThreadExecutor
from appliance.engine.tracked.flow_runner import TrackedFlowRunner
from appliance.engine.tracked.logs import reported
from appliance.engine.tracked.reporter import Reporter
from appliance.packaging.register import register
from appliance.protocol.agents import Claim, Enrol, Work
from appliance.protocol.flow_runs import CreateFlowRun, FlowRunView
from appliance.server.actions import setup
from appliance.server.app import create_app
from appliance.server.db import migrate
from appliance.server.db.session import Database
from appliance.storage import Local

TOKEN = "apl_user_" + "r" * 43
tries: list[int] = []


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task(task_run_name="add {x}")
def add(x: int, y: int) -> int:
    get_logger().info("adding %d and %d", x, y)
    return x + y


@task
def total(values: list[int]) -> int:
    return sum(values)


with Flow("sum") as sum_flow:
    total(add.map(numbers(Parameter("n", default=3)), unmapped(10)))


@task(max_retries=1, retry_delay=timedelta(seconds=0))
def flaky() -> None:
    tries.append(1)
    if len(tries) == 1:
        raise ConnectionError("first try")


@task
def broken() -> None:
    raise ValueError("no such column")


@task
def after() -> None:
    return None


with Flow("failing") as failing_flow:
    flaky()
    first = broken()
    after(upstream_tasks=[first])


class Site:
    """The app over a new database, and a client with an administrator's token."""

    def __init__(self, http: TestClient[Any]) -> None:
        self.http = http
        self.client = Transport("http://testserver.local", TOKEN, http)

    def claim(self, flow: Flow, **parameters: Any) -> tuple[Work, Transport]:
        """Register, create a run and claim it; the work and a client with the run's own token."""
        register(flow, "p", transport=self.client, storage=Local())
        flow_runs.create(self.client, CreateFlowRun(project="p", flow=flow.name, parameters=parameters))
        me = agents.enrol(self.client, Enrol(name="host", type="process")).agent_id
        (work,) = agents.claim(self.client, me, Claim(free_slots=1)).work
        return work, Transport("http://testserver.local", work.run_token, self.http)

    def run(self, flow: Flow, spool: Path, executor: Any = None, **parameters: Any) -> tuple[State, FlowRunView]:
        work, own = self.claim(flow, **parameters)
        begun = runs.begin(own, work.flow_run_id, work.attempt)
        assert begun.verdict == "go"
        dead: list[str] = []
        reporter = Reporter(
            lambda report: runs.report(own, work.flow_run_id, report),
            work.attempt,
            spool,
            on_cancel=lambda _reason: None,
            on_dead=dead.append,
        )
        reporter.start()
        with reported(reporter):
            runner = TrackedFlowRunner(flow, reporter, executor=executor, parameters=begun.parameters)
            state = runner.run()
        assert runner.final is not None
        reporter.flow_state(runner.final)
        assert reporter.close(20.0), dead
        return state, flow_runs.get(self.client, work.flow_run_id)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    settings = Settings(data_dir=str(tmp_path))
    migrate.upgrade(settings.database)
    database = Database(settings.database)
    setup.ensure_admin(database, "", TOKEN)
    with TestClient(create_app(settings, database), raise_server_exceptions=False) as http:
        yield Site(http)
    database.dispose()


@pytest.mark.parametrize("threads", [False, True])
def test_states_names_and_lines_of_a_mapped_flow(site: Site, tmp_path: Path, threads: bool) -> None:
    state, view = site.run(sum_flow, tmp_path / "spool", ThreadExecutor(4) if threads else None, n=4)
    assert state.is_successful()
    assert (view.state, view.parameters) == ("Success", {"n": 4})
    found = {(one.task_slug, one.map_index): one.state for one in flow_runs.task_runs(site.client, view.id)}
    assert found == {
        **{("n", -1): "Success", ("numbers-1", -1): "Success", ("total-1", -1): "Success", ("add-1", -1): "Mapped"},
        **{("add-1", index): "Success" for index in range(4)},
    }
    lines = [line for line in flow_runs.logs(site.client, view.id) if line.message.startswith("adding")]
    assert {(line.task_slug, line.map_index) for line in lines} == {("add-1", index) for index in range(4)}
    assert [one.version for one in flow_runs.states(site.client, view.id)] == [1, 2, 3, 4]


def test_a_failure_carries_its_cause_and_a_retry_is_told_as_one(site: Site, tmp_path: Path) -> None:
    tries.clear()
    state, view = site.run(failing_flow, tmp_path / "spool")
    assert state.is_failed()
    assert view.state == "Failed"
    found = {one.task_slug: one for one in flow_runs.task_runs(site.client, view.id)}
    assert (found["flaky-1"].state, found["flaky-1"].run_count) == ("Success", 2)
    assert found["broken-1"].state_message == "ValueError: no such column"
    assert found["after-1"].state == "TriggerFailed"
    errors = [line for line in flow_runs.logs(site.client, view.id, level="ERROR")]
    assert any("no such column" in line.message and line.task_slug == "broken-1" for line in errors)


def test_a_cancelled_run_ends_cancelled_and_names_what_it_did_not_start(site: Site, tmp_path: Path) -> None:
    work, own = site.claim(sum_flow)
    runs.begin(own, work.flow_run_id, work.attempt)
    reporter = Reporter(
        lambda report: runs.report(own, work.flow_run_id, report),
        work.attempt,
        tmp_path / "spool",
        on_cancel=lambda _reason: None,
        on_dead=lambda _reason: None,
    )
    reporter.start()
    runner = TrackedFlowRunner(sum_flow, reporter)
    flow_runs.cancel(site.client, work.flow_run_id, "not today")
    runner.cancel("Cancelled on request.")
    runner.run()
    assert runner.final is not None
    reporter.flow_state(runner.final)
    assert reporter.close(20.0)
    view = flow_runs.get(site.client, work.flow_run_id)
    assert (view.state, view.state_message) == ("Cancelled", "Cancelled on request.")
    assert {one.state for one in flow_runs.task_runs(site.client, view.id)} == {"Cancelled"}
