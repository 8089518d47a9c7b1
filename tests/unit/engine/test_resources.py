"""Resource managers: set-up before, clean-up after, whatever happens in between."""

from __future__ import annotations

from typing import Any

import pytest

from appliance import Flow, any_failed, case, resource_manager, signals, states, task
from appliance.core.errors import FlowBuildError, TaskDefinitionError
from appliance.engine.flow_runner import FlowRunner, earlier_states

events: list[str] = []


class Place:
    def __init__(self, name: str = "x", setup: Any = None) -> None:
        self.name, self.act = name, setup

    def setup(self) -> str:
        if self.act is not None:
            raise self.act
        events.append(f"setup {self.name}")
        return f"place {self.name}"

    def cleanup(self, resource: str) -> None:
        events.append(f"cleanup {resource}")


place_at = resource_manager(Place)


@task
def work(resource: Any, error: BaseException | None = None) -> None:
    events.append(f"work {resource}")
    if error is not None:
        raise error


@task
def other() -> None:
    events.append("other")


@task
def give(value: Any) -> Any:
    return value


@pytest.fixture(autouse=True)
def _no_events() -> None:
    events.clear()


def test_set_up_work_clean_up_in_this_order() -> None:
    with Flow("f") as flow:
        with place_at(give("a")) as place:
            done = work(place)
            other()
        after = other()
    after.set_upstream(flow.get_tasks("Place.cleanup")[0], flow=flow)
    state = flow.run()
    assert isinstance(state, states.Success)
    assert events == ["setup a", "work place a", "other", "cleanup place a", "other"]
    assert done in flow.tasks


def test_a_failure_inside_fails_the_flow_and_is_cleaned_up_after() -> None:
    with Flow("f") as flow, place_at("a") as place:
        failing = work(place, ValueError("broken"))
    assert flow.reference_tasks() == [failing]
    assert isinstance(flow.run(), states.Failed)
    assert events == ["setup a", "work place a", "cleanup place a"]


def test_blocks_in_blocks_end_inside_out() -> None:
    with Flow("f") as flow, place_at("a") as outer:
        work(outer)
        with place_at("b") as inner:
            last = work(inner)
    assert isinstance(flow.run(), states.Success)
    assert events.index("cleanup place b") < events.index("cleanup place a")
    assert last in flow.reference_tasks()
    assert not [found for found in flow.reference_tasks() if found.runs_on_cancel]


@pytest.mark.parametrize(
    ("act", "final"), [(ValueError("no"), states.Failed), (signals.SKIP("not today"), states.Success)]
)
def test_without_a_set_up_there_is_no_clean_up(act: BaseException, final: type[states.State]) -> None:
    with Flow("f") as flow, place_at("a", act) as place:
        work(place)
    state = flow.run()
    assert isinstance(state, final)
    cleanup = flow.get_tasks("Place.cleanup")[0]
    assert isinstance(state.result[cleanup], states.Skipped)
    assert events == []


def test_a_block_in_a_branch_that_is_not_taken_does_nothing() -> None:
    with Flow("f") as flow, case(give(1), 2), place_at() as place:
        work(place)
    assert isinstance(flow.run(), states.Success)
    assert events == []


def test_a_cancelled_run_is_cleaned_up_after() -> None:
    with Flow("f") as flow, place_at("a") as place:
        work(place, KeyboardInterrupt())
    assert isinstance(FlowRunner(flow).run(), states.Cancelled)
    assert events == ["setup a", "work place a", "cleanup place a"]


def test_a_run_that_is_told_to_stop_is_cleaned_up_after() -> None:
    with Flow("f") as flow, place_at("a") as place:
        other(upstream_tasks=[work(place)])
    runner = FlowRunner(flow)
    runner.should_stop = lambda: "work place a" in events  # type: ignore[method-assign]
    assert isinstance(runner.run(), states.Cancelled)
    assert events == ["setup a", "work place a", "cleanup place a"]


def test_a_restart_sets_up_and_cleans_up_again() -> None:
    with Flow("f") as flow, place_at("a") as place:
        first = work(place)
        second = other(upstream_tasks=[first])
    state = FlowRunner(flow).run()
    known = earlier_states(flow, {found: own for found, own in state.result.items() if found is not second})
    events.clear()
    assert isinstance(FlowRunner(flow, initial_task_states=known).run(), states.Success)
    assert events == ["setup a", "other", "cleanup place a"]


def test_options_of_the_three_tasks() -> None:
    class Plain:
        def setup(self) -> None: ...

        def cleanup(self, resource: None) -> None: ...

    named = resource_manager(name="p", setup_task_kwargs={"tags": ["slow"]})(Plain)
    with Flow("f") as flow, named():
        other()
    assert [found.name for found in flow.tasks] == ["p", "p.setup", "other", "p.cleanup"]
    assert flow.tasks[1].tags == {"slow"}


def test_wrong_use_is_refused() -> None:
    with pytest.raises(TaskDefinitionError, match="has no cleanup"):
        resource_manager(int)
    with pytest.raises(FlowBuildError, match="outside a flow"):
        place_at()
    with Flow("f"), pytest.raises(FlowBuildError, match="can't be called like this"), place_at(1, 2, 3):
        pass


def test_without_set_up_the_object_itself_is_the_resource() -> None:
    events: list[Any] = []

    class Bare:
        def __init__(self, name: str) -> None:
            self.name = name

        def cleanup(self, resource: Bare) -> None:
            events.append(("cleanup", resource is self))

    @task
    def use(bare: Bare) -> None:
        events.append(bare.name)

    with Flow("f") as flow, resource_manager(Bare)("bare") as bare:
        use(bare)
    assert isinstance(flow.run(), states.Success)
    assert events == ["bare", ("cleanup", True)]


@pytest.mark.parametrize("works", [True, False])
def test_a_failure_that_is_handled_after_the_block_is_no_failure_of_the_flow(works: bool) -> None:
    @task
    def work(_place: Any) -> None:
        raise ValueError("on purpose")

    @task(trigger=any_failed)
    def handle() -> None:
        if not works:
            raise ValueError("the handler failed too")

    with Flow("f") as flow:
        with place_at("a") as outer:
            with place_at("b") as inner:
                bad = work(inner)
            good = other()
        handled = handle(upstream_tasks=[bad])
    state = flow.run()
    assert state is not None
    assert set(flow.reference_tasks()) == {good, handled}
    assert isinstance(state, states.Success if works else states.Failed)
    assert isinstance(state.result[bad], states.Failed)
    del outer
