"""Carrying a flow out twice, untracked in this process and tracked in real attempts against the real app, to compare the outcomes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from litestar.testing import TestClient

from appliance.client import agents, flow_runs
from appliance.client import run_protocol as runs
from appliance.client.transport import Transport
from appliance.config import Settings
from appliance.core.flow import Flow
from appliance.core.states import Resume, State
from appliance.core.task import Task
from appliance.engine.executors import Executor
from appliance.engine.flow_runner import FlowRunner, earlier_states
from appliance.engine.tracked.flow_runner import TrackedFlowRunner
from appliance.engine.tracked.logs import reported
from appliance.engine.tracked.reporter import Reporter
from appliance.packaging.register import register
from appliance.protocol.agents import Claim, Enrol
from appliance.protocol.flow_runs import CreateFlowRun
from appliance.protocol.states import TERMINAL
from appliance.server.actions import setup
from appliance.server.app import create_app
from appliance.server.db import migrate
from appliance.server.db.session import Database
from appliance.server.domain.restart import to_run_again
from tests.conformance.run_lines import Lines, Log, server_lines
from tests.conformance.world import World

TOKEN = "apl_user_" + "t" * 43
AT_ONCE = -1.0
"""The longest wait of attempts that wait for nothing: every retry that is not due at once hands the run back."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z| UTC|\+00:00)?")


@dataclass
class Outcome:
    """How a run ended: its state, the states and messages of its task runs, the calls of its tasks, the lines that they logged."""

    flow: str
    tasks: dict[tuple[str, int], tuple[str, str]]
    calls: dict[str, int]
    lines: Lines
    attempts: int = field(default=1, compare=False)

    def on_any_executor(self) -> Outcome:
        """Without what executors may do differently: whether code whose time is up is interrupted, and how the message says so."""
        tasks = {key: (name, "" if name == "TimedOut" else message) for key, (name, message) in self.tasks.items()}
        calls = {name: number for name, number in self.calls.items() if name != "caught"}
        return replace(self, tasks=tasks, calls=calls)


Build = Callable[[World], Flow]


def untracked(
    build: Build, folder: Path, *, restarts: int = 0, executor: Executor | None = None, **parameters: Any
) -> Outcome:
    """Run as `flow.run()` does, with a person who resumes what is paused and restarts what has failed."""
    world = World(folder)
    flow = build(world)
    earlier: dict[tuple[str, int], State] = {}
    log = Log()
    while True:
        with log.of_runs():
            state = FlowRunner(flow, executor, parameters, initial_task_states=earlier).run()
        earlier = earlier_states(flow, state.result)
        if state.is_paused():
            earlier = {key: Resume(context=one.context) if one.is_paused() else one for key, one in earlier.items()}
        elif world.restarts < restarts:
            world.restart()
            for key in to_run_again(_edges(flow), {key: one.type for key, one in earlier.items()}):
                del earlier[key]
        else:
            found = {key: (one.name, _sense(one.message)) for key, one in earlier.items()}
            return Outcome(state.name, found, world.calls, log.lines)


class Site:
    """The app over a database, and one agent."""

    def __init__(self, http: TestClient[Any]) -> None:
        self._http = http
        self.client = Transport("http://testserver.local", TOKEN, http)
        self._agent = agents.enrol(self.client, Enrol(name="host", type="process")).agent_id

    def tracked(
        self,
        build: Build,
        folder: Path,
        *,
        restarts: int = 0,
        executor: Executor | None = None,
        longest_wait: float = AT_ONCE,
        **parameters: Any,
    ) -> Outcome:
        """Run in as many attempts as it takes, and have the server resume and restart it."""
        world = World(folder)
        flow = build(world)
        register(flow, "p", transport=self.client, storage=_Nowhere())
        created = flow_runs.create(self.client, CreateFlowRun(project="p", flow=flow.name, parameters=parameters))
        run = created.id
        while True:
            self.attempt(run, flow, folder / "spool", executor, longest_wait)
            view = flow_runs.get(self.client, run)
            if view.state_type == "PAUSED":
                flow_runs.resume(self.client, run)
            elif view.state_type in TERMINAL and world.restarts < restarts:
                world.restart()
                flow_runs.restart(self.client, run)
            elif view.state_type in TERMINAL:
                return Outcome(
                    view.state,
                    server_tasks(self.client, run),
                    world.calls,
                    server_lines(self.client, run),
                    view.attempt,
                )

    def attempt(
        self,
        run: UUID,
        flow: Flow,
        spool: Path,
        executor: Executor | None = None,
        longest_wait: float = AT_ONCE,
        before: Callable[[TrackedFlowRunner], None] = lambda _runner: None,
    ) -> State:
        """What the process of a run does: claim, begin, go on from what is known, report to the end."""
        (work,) = agents.claim(self.client, self._agent, Claim(free_slots=1, wait_s=10.0)).work
        assert work.flow_run_id == run
        own = Transport("http://testserver.local", work.run_token, self._http)
        begun = runs.begin(own, run, work.attempt)
        assert begun.verdict == "go", begun.reason
        dead: list[str] = []
        reporter = Reporter(
            lambda report: runs.report(own, run, report),
            work.attempt,
            spool,
            on_cancel=lambda _reason: None,
            on_dead=dead.append,
        )
        reporter.start()
        with reported(reporter):
            runner = TrackedFlowRunner(
                flow,
                reporter,
                executor=executor,
                parameters=begun.parameters,
                context=begun.context,
                flow_run_id=str(run),
                flow_run_name=begun.flow_run_name,
                scheduled_start_time=begun.scheduled_time,
            )
            runner.longest_wait = longest_wait
            runner.go_on_from(begun.tasks)
            before(runner)
            runner.run()
        assert runner.final is not None
        reporter.flow_state(runner.final)
        assert reporter.close(20.0), dead
        return runner.final


def server_tasks(client: Transport, run: UUID) -> dict[tuple[str, int], tuple[str, str]]:
    """The task runs as the server knows them."""
    return {
        (one.task_slug, one.map_index): (one.state, _sense(one.state_message))
        for one in flow_runs.task_runs(client, run)
    }


@contextmanager
def opened(directory: Path, database_url: str = "") -> Iterator[Site]:
    """A new appliance, over SQLite unless there is the address of an empty database."""
    settings = Settings(data_dir=str(directory), database_url=database_url)
    migrate.upgrade(settings.database)
    database = Database(settings.database)
    setup.ensure_admin(database, "", TOKEN)
    with TestClient(create_app(settings, database), raise_server_exceptions=False) as http:
        yield Site(http)
    database.dispose()


class _Nowhere:
    """The flow is at hand already."""

    def describe(self) -> dict[str, Any]:
        return {"type": "local", "path": "flows.py"}

    @classmethod
    def load(cls, document: dict[str, Any]) -> Flow:
        raise AssertionError(document)


def _edges(flow: Flow) -> list[dict[str, Any]]:
    def slug(task: Task) -> str:
        return flow.slugs[task]

    return [
        {
            "upstream": slug(edge.upstream_task),
            "downstream": slug(edge.downstream_task),
            "mapped": edge.mapped,
            "flattened": edge.flattened,
        }
        for edge in flow.edges
    ]


def _sense(message: str | None) -> str:
    return _TIME.sub("<time>", message or "")
