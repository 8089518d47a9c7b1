"""Small results of a tracked run lie in one pack for each attempt, and a restart goes on from them, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.client import flow_runs
from appliance.core.flow import Flow
from appliance.core.results import Result
from appliance.core.task_decorator import task
from appliance.engine.executors import Executor, LocalExecutor, ProcessExecutor, ThreadExecutor
from appliance.engine.results.local import LocalResult
from appliance.engine.results.memory import MemoryResult
from appliance.protocol.flow_runs import FlowRunView
from tests.conformance.twice import Outcome, Site, opened
from tests.conformance.world import World

WIDTH = 30
LARGE = 100_000


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "data", database_url) as found:
        yield found


def flow_with(place: Result, harm: Callable[[], Any] = lambda: None) -> Callable[[World], Flow]:
    """A flow whose last task fails in the first attempt, after it has done some harm."""

    def build(world: World) -> Flow:
        @task
        def numbers() -> list[int]:
            world.note("numbers")
            return list(range(WIDTH))

        @task
        def double(x: int) -> int:
            world.note("double")
            return 2 * x

        @task
        def large() -> bytes:
            world.note("large")
            return b"x" * LARGE

        @task
        def total(values: list[int], more: bytes) -> int:
            if world.note("total") == 1:
                raise ConnectionError("the first time")
            return sum(values) + len(more)

        @task
        def check(x: int) -> int:
            assert x == WIDTH * (WIDTH - 1) + LARGE
            return x

        with Flow("kept", result=place) as flow:
            check(total(double.map(numbers()), large()))

        def harmed(_flow: Flow, _old: object, new: Any) -> None:
            if new.is_finished():
                harm()

        flow.state_handlers = [harmed]
        return flow

    return build


def ended_well(found: Outcome, **calls: int) -> None:
    assert (found.flow, found.attempts) == ("Success", 2)
    assert found.calls == {"numbers": 1, "double": WIDTH, "large": 1, "total": 2} | calls


@pytest.mark.parametrize("executor", [LocalExecutor, ThreadExecutor, ProcessExecutor])
def test_a_restart_goes_on_from_the_packs(site: Site, tmp_path: Path, executor: Callable[[], Executor]) -> None:
    folder = tmp_path / "results"
    ended_well(site.tracked(flow_with(LocalResult(folder)), tmp_path / "run", restarts=1, executor=executor()))
    files = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert [name.rpartition("-")[0][:9] for name in files if name.endswith(".pack")] == ["attempt-1", "attempt-2"]
    assert sum(name.startswith("large-1") for name in files) == len(files) - 2 == 1


def test_a_restart_goes_on_from_objects_of_a_store(site: Site, tmp_path: Path) -> None:
    place = MemoryResult()
    ended_well(site.tracked(flow_with(place), tmp_path / "run", restarts=1))
    assert 3 <= len(place.contents) < WIDTH


def cut_packs(folder: Path) -> None:
    for pack in folder.rglob("*.pack"):
        pack.write_bytes(pack.read_bytes()[:-1])


def drop_packs(folder: Path) -> None:
    for pack in folder.rglob("*.pack"):
        pack.unlink()


def test_a_restart_runs_again_what_is_torn(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    found = site.tracked(flow_with(LocalResult(folder), lambda: cut_packs(folder)), tmp_path / "run", restarts=1)
    ended_well(found, **{name: found.calls[name] for name in ("double", "numbers")})
    assert WIDTH + 1 <= found.calls["double"] + found.calls["numbers"] <= WIDTH + 3


def test_a_restart_runs_everything_again_whose_packs_are_gone(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    found = site.tracked(flow_with(LocalResult(folder), lambda: drop_packs(folder)), tmp_path / "run", restarts=1)
    ended_well(found, numbers=2, double=2 * WIDTH)


class Away(MemoryResult):
    """A store that takes nothing while the file is not there."""

    def __init__(self, back: Path, optional: bool) -> None:
        super().__init__()
        self.back, self.optional = back, optional

    def put(self, location: str, content: bytes) -> None:
        if not self.back.exists():
            raise self.trouble("written to", location, "the store is away")
        super().put(location, content)


def lost_with(place: Result) -> Callable[[World], Flow]:
    def build(world: World) -> Flow:
        @task
        def one() -> int:
            world.note("one")
            return 1

        @task
        def two(x: int) -> int:
            return world.note("two") + x

        with Flow("lost", result=place) as flow:
            two(one())
        return flow

    return build


def the_run(site: Site) -> FlowRunView:
    (found,) = flow_runs.each(site.client)
    return found


def test_a_run_goes_on_without_results_that_nobody_asked_for(site: Site, tmp_path: Path) -> None:
    found = site.tracked(lost_with(Away(tmp_path / "back", optional=True)), tmp_path / "run")
    assert found.flow == "Success"
    for state, message in found.tasks.values():
        assert state == "Success"
        assert "The result could not be kept for a restart: The result can't be written to memory:/" in message
        assert message.endswith(": the store is away.")


def test_tasks_whose_results_an_author_wants_fail_with_them_and_run_again(site: Site, tmp_path: Path) -> None:
    back = tmp_path / "back"
    place = Away(back, optional=False)
    found = site.tracked(lost_with(place), tmp_path / "run")
    assert found.flow == "Failed" and found.calls == {"one": 1, "two": 1}
    for state, message in found.tasks.values():
        assert state == "Failed"
        assert message.startswith(
            "The task ran, but its result could not be stored: The result can't be written to memory:/"
        )
    run = the_run(site)
    assert run.state_message.startswith("2 results could not be stored: The result can't be written to")
    back.touch()
    flow_runs.restart(site.client, run.id)
    world = World(tmp_path / "run")
    site.attempt(run.id, lost_with(place)(world), tmp_path / "spool")
    assert flow_runs.get(site.client, run.id).state == "Success"
    assert world.calls == {"one": 2, "two": 2} and len(place.contents) == 1
