"""The same flows untracked and tracked, in one attempt and in as many as their waits make: equal states, messages, calls and lines."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.core.flow import Flow
from appliance.core.task_decorator import task
from appliance.engine.executors import Executor, ThreadExecutor
from tests import depth
from tests.conformance.executor_cases import ELSEWHERE
from tests.conformance.parity_attempts import a_pause_within_a_resource, a_restart_of_the_end
from tests.conformance.parity_cases import work
from tests.conformance.parity_engine import an_executor_that_cannot_start
from tests.conformance.parity_sample import SAMPLE, surround
from tests.conformance.parity_suite import CASES
from tests.conformance.twice import AT_ONCE, Site, opened, untracked
from tests.conformance.world import World

IN_OTHER_PROCESSES = [
    (name, where)
    for number, name in enumerate(SAMPLE)
    for where in ELSEWHERE
    if depth.is_full() or where == ELSEWHERE[number % 2]
]
"""The executors in turn; in full runs each of them with every flow."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with opened(tmp_path_factory.mktemp("appliance")) as found:
        yield found


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch, tmp_path)


@pytest.mark.parametrize("longest_wait", [AT_ONCE, 60.0], ids=["many attempts", "one attempt"])
@pytest.mark.parametrize("name", CASES)
def test_a_flow_ends_alike(site: Site, tmp_path: Path, name: str, longest_wait: float) -> None:
    build, restarts = CASES[name]
    tracked = site.tracked(build, tmp_path / "tracked", restarts=restarts, longest_wait=longest_wait)
    assert tracked == untracked(build, tmp_path / "untracked", restarts=restarts)


@pytest.mark.parametrize("name", CASES)
def test_a_flow_ends_alike_in_threads(site: Site, tmp_path: Path, name: str) -> None:
    assert_alike(site, tmp_path, name, ThreadExecutor(4))


@pytest.mark.parametrize(("name", "remote"), IN_OTHER_PROCESSES, indirect=["remote"])
def test_a_flow_ends_alike_in_other_processes(site: Site, tmp_path: Path, name: str, remote: Executor) -> None:
    assert_alike(site, tmp_path, name, remote)


def assert_alike(site: Site, folder: Path, name: str, executor: Executor) -> None:
    """On the executor as on the default one, and there tracked as untracked."""
    build, restarts = CASES[name]
    tracked = site.tracked(build, folder / "tracked", restarts=restarts, executor=executor)
    assert tracked == untracked(build, folder / "untracked", restarts=restarts, executor=executor)
    here = untracked(build, folder / "here", restarts=restarts)
    assert tracked.on_any_executor() == here.on_any_executor()


def test_a_run_whose_executor_cannot_start_fails(site: Site, tmp_path: Path) -> None:
    tracked = site.tracked(an_executor_that_cannot_start, tmp_path / "tracked")
    expected = untracked(an_executor_that_cannot_start, tmp_path / "untracked")
    assert (tracked.flow, tracked.calls) == (expected.flow, expected.calls)
    assert (tracked.flow, tracked.calls) == ("Failed", {"flow Running": 1, "flow Failed": 1})


def test_what_is_stored_nowhere_is_made_again(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APPLIANCE_RESULTS_URL")
    tracked = site.tracked(a_restart_of_the_end, tmp_path / "tracked", restarts=1)
    expected = untracked(a_restart_of_the_end, tmp_path / "untracked", restarts=1)
    assert (tracked.flow, tracked.tasks) == (expected.flow, expected.tasks)
    assert tracked.calls == {"a": 2, "b": 2, "c": 2, "none": 1, "d": 1}


def test_what_was_removed_is_made_again(site: Site, tmp_path: Path) -> None:
    def build(world: World) -> Flow:
        with Flow("removed") as flow:
            a = work(world, "a", 1)()
            b = work(world, "b")(x=a)

            @task
            def clear() -> None:
                shutil.rmtree(tmp_path / "results", ignore_errors=world.restarts > 0)

            work(world, "c", until_restart=1)(x=b, upstream_tasks=[clear(upstream_tasks=[b])])
        return flow

    tracked = site.tracked(build, tmp_path / "tracked", restarts=1)
    assert (tracked.flow, tracked.calls) == ("Success", {"a": 2, "b": 2, "c": 2})


def test_a_resource_is_not_left_open_while_a_run_waits_for_a_person(site: Site, tmp_path: Path) -> None:
    calls = site.tracked(a_pause_within_a_resource, tmp_path / "tracked").calls
    assert calls == {"set up pool": 2, "clean up pool": 2, "what": 1, "before": 1, "asked": 1}


def test_waits_and_people_make_attempts(site: Site, tmp_path: Path) -> None:
    """The suite above would prove little if everything happened in one attempt."""
    attempts = {
        name: site.tracked(CASES[name][0], tmp_path / name, restarts=CASES[name][1]).attempts
        for name in ("a_chain", "retries", "a_pause_before_a_task", "a_pause_with_an_end", "two_restarts")
    }
    assert attempts == {
        "a_chain": 1,
        "retries": 5,
        "a_pause_before_a_task": 2,
        "a_pause_with_an_end": 2,
        "two_restarts": 3,
    }
