"""Tasks that start other flows, where no server tracks the run: the child runs in this process."""

from __future__ import annotations

import threading

import pytest

from appliance import (
    ChildRun,
    Flow,
    Parameter,
    ProcessExecutor,
    RunFlow,
    StartFlowRun,
    ThreadExecutor,
    create_flow_run,
    get_task_run_result,
    run_flow,
    task,
    wait_for_flow_run,
)
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


@task
def double(n: int) -> int:
    return 2 * n


with Flow("a child with results") as giving:
    double(Parameter("n", default=1))
    double.map([1, 2, 3], task_args={"slug": "many"})

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
    for one in (state.result[first].result, state.result[second].result):
        assert one == ChildRun("a child of tests", "Success", one.id)


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
        run_flow("other", project="sales", version=3)
        note(1)
    assert [item.get("starts") for item in serialize(parent)["tasks"]] == [
        {"flow": "a child of tests"},
        {"flow": "other", "project": "sales", "version": 3},
        None,
    ]


@pytest.mark.parametrize("flow", [3, "", None, note])
def test_what_is_no_flow_is_refused_at_once(flow: object) -> None:
    with pytest.raises(TaskDefinitionError, match="starts a flow or the flow with a name"):
        RunFlow(flow)


def test_a_run_is_started_waited_for_and_its_results_are_read() -> None:
    with Flow("parent") as parent:
        started = create_flow_run("a child with results", parameters={"n": 4})
        waited = wait_for_flow_run(started, raise_final_state=True)
        one = get_task_run_result(started, "double-1", upstream_tasks=[waited])
        of_object = get_task_run_result(run_flow(giving, {"n": 5}), "double-1")
        many, second = get_task_run_result(started, "many"), get_task_run_result(started, "many", map_index=1)
    state = run(parent)
    assert state.is_successful()
    assert [state.result[each].result for each in (one, of_object, many, second)] == [8, 10, [2, 4, 6], 4]
    assert state.result[waited].result == ChildRun("a child with results", "Success", state.result[started].result)


@pytest.mark.parametrize("executor", [ThreadExecutor(2), ProcessExecutor(2)])
def test_results_are_read_whatever_the_executor(executor: object) -> None:
    with Flow("parent") as parent:
        twice = double(get_task_run_result(giving.as_task()(n=4), "double-1"))
    assert run(parent, executor=executor).result[twice].result == 16


@pytest.mark.parametrize(("raises", "fails"), [(True, True), (False, False)])
def test_waiting_ends_as_the_run_does_if_it_is_to(raises: bool, fails: bool) -> None:
    with Flow("parent") as parent:
        waited = wait_for_flow_run(create_flow_run("a broken child"), raise_final_state=raises)
    state = run(parent).result[waited]
    assert state.is_failed() == fails
    assert "The run of flow 'a broken child'" in state.message


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nothing-1",), "has no such task run; its state is Failed."),
        (("broken-1",), "is Failed: "),
        (("",), "task_slug must be the slug"),
        (("broken-1", -2), "map_index must be a whole number"),
    ],
)
def test_a_result_that_is_not_there_is_no_result(arguments: tuple[object, ...], sentence: str) -> None:
    with Flow("parent") as parent:
        read = get_task_run_result(create_flow_run("a broken child"), *arguments)
    assert sentence in run(parent).result[read].message


@pytest.mark.parametrize(
    ("strange", "sentence"),
    [
        ("0198f0c2-8d3a-7c11-9d43-0a4f5e6b7c8d", "No task of this run has started a run with this id"),
        (3, "flow_run_id must be the result of create_flow_run"),
    ],
)
def test_only_runs_that_this_run_has_started_are_waited_for(strange: object, sentence: str) -> None:
    with Flow("parent") as parent:
        waits, reads = wait_for_flow_run(strange), get_task_run_result(strange, "a-1")
    state = run(parent)
    assert sentence in state.result[waits].message and sentence in state.result[reads].message


def test_the_ancestor_of_run_flow_returns_an_id() -> None:
    with Flow("parent") as parent:
        ids = StartFlowRun("a child of tests", wait=True).map(parameters=[{"n": 1}, {"n": 2}])
        waits = wait_for_flow_run.map(ids)
    assert all(isinstance(one.result, ChildRun) for one in run(parent).result[waits].map_states)


@pytest.mark.parametrize("version", [0, True, "3"])
def test_a_version_is_a_number(version: object) -> None:
    with pytest.raises(TaskDefinitionError, match="version must be the number of a version"):
        RunFlow("x", version=version)  # type: ignore[arg-type]


def test_a_child_whose_handler_decides_how_it_ends_fails_the_task_with_the_handlers_words() -> None:
    with Flow("decides", terminal_state_handler=lambda *_: Failed("Too little.")) as decides:
        note(1)
    with Flow("parent") as parent:
        start = run_flow(decides)
    assert run(parent).result[start].message == "The run of flow 'decides' failed: Too little."
