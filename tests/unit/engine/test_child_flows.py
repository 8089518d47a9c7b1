"""Tasks that start other flows, where no server tracks the run: the child runs in this process."""

from __future__ import annotations

import threading

import pytest

from appliance import ChildRun, Flow, Parameter, ProcessExecutor, RunFlow, ThreadExecutor, run_flow, task
from appliance.core.child_flows import MOST_LEVELS
from appliance.core.errors import TaskDefinitionError
from appliance.core.serialize import serialize
from appliance.core.states import Cancelled, Failed, State

seen: list[int] = []


@task
def note(n: int) -> None:
    seen.append(n)


@task
def broken() -> None:
    raise ValueError("out of paper")


with Flow("a child of tests") as child:
    note(Parameter("n", default=1))

with Flow("a broken child") as bad:
    broken()

with Flow("starts itself") as circle:
    run_flow("starts itself")


@pytest.fixture(autouse=True)
def _forget() -> None:
    seen.clear()


def run(flow: Flow, **options: object) -> State:
    state = flow.run(progress=False, **options)
    assert state is not None
    return state


def test_a_child_runs_by_object_or_by_name_with_its_parameters() -> None:
    with Flow("parent") as parent:
        first = child.as_task()(n=5)
        second = run_flow("a child of tests", {"n": 7}, upstream_tasks=[first])
    state = run(parent)
    assert state.is_successful()
    assert seen == [5, 7]
    assert state.result[first].result == state.result[second].result == ChildRun("a child of tests", "Success")


def test_parameters_may_be_results_and_mapped_over() -> None:
    with Flow("parent") as parent:
        RunFlow(child).map(parameters=[{"n": 1}, {"n": 2}])
    assert run(parent).is_successful()
    assert sorted(seen) == [1, 2]


@pytest.mark.parametrize("executor", [ThreadExecutor(2), ProcessExecutor(2)])
def test_children_run_in_the_process_of_the_parent_whatever_the_executor(executor: object) -> None:
    with Flow("parent") as parent:
        child.as_task()(n=3)
    assert run(parent, executor=executor).is_successful()
    assert seen == [3]


def test_a_failed_child_fails_the_task_with_its_reason() -> None:
    with Flow("parent") as parent:
        start = run_flow(bad)
    state = run(parent)
    assert state.is_failed()
    message = state.result[start].message
    assert "The run of flow 'a broken child' failed: Task broken-1 failed: " in message
    assert "out of paper" in message


def test_nobody_waits_for_a_child_that_is_not_waited_for() -> None:
    with Flow("parent") as parent:
        start = run_flow(bad, wait=False)
    state = run(parent)
    assert state.is_successful()
    assert state.result[start].result.state == "Failed"


def test_a_retry_runs_the_child_again() -> None:
    tries = []

    @task
    def second_time() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")

    with Flow("flaky") as flaky:
        second_time()
    with Flow("parent") as parent:
        flaky.as_task(max_retries=1, retry_delay=0)()
    assert run(parent).is_successful()
    assert len(tries) == 2


def test_an_unknown_name_fails_with_the_way_out() -> None:
    with Flow("parent") as parent:
        start = run_flow("no such flow")
    state = run(parent)
    assert "import its module" in state.result[start].message


def test_flows_that_start_each_other_end() -> None:
    before = threading.active_count()
    assert run(circle).is_failed()
    assert threading.active_count() == before
    assert MOST_LEVELS == 20


def test_a_cancelled_child_cancels_the_task() -> None:
    with Flow("stops", terminal_state_handler=lambda *_: Cancelled("Enough.", result={})) as stops:
        note(1)
    with Flow("parent") as parent:
        start = run_flow(stops)
    state = run(parent)
    assert isinstance(state.result[start], Cancelled)
    assert not isinstance(state.result[start], Failed)


def test_an_interrupt_ends_the_parent_with_the_child() -> None:
    @task
    def interrupted() -> None:
        raise KeyboardInterrupt

    with Flow("long") as long:
        interrupted()
    with Flow("parent") as parent:
        start = run_flow(long)
        note(9, upstream_tasks=[start])
    assert isinstance(run(parent), Cancelled)
    assert seen == []


def test_what_a_task_starts_is_registered() -> None:
    with Flow("parent") as parent:
        run_flow(child)
        run_flow("other", project="sales")
        note(1)
    assert [item.get("starts") for item in serialize(parent)["tasks"]] == [
        {"flow": "a child of tests"},
        {"flow": "other", "project": "sales"},
        None,
    ]


@pytest.mark.parametrize("flow", [3, "", None, note])
def test_what_is_no_flow_is_refused_at_once(flow: object) -> None:
    with pytest.raises(TaskDefinitionError, match="starts a flow or the flow with a name"):
        RunFlow(flow)
