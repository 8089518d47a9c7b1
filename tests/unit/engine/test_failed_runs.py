"""The reason of a failed run is the first task whose own code failed, wherever the run is judged."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from appliance import triggers
from appliance.core import signals, states
from appliance.core.flow import Flow
from appliance.core.task_decorator import task
from appliance.engine.executors import LocalExecutor, ThreadExecutor
from appliance.engine.failed_runs import WITHOUT_CAUSE, failed_run


@task
def fine(_: object = None) -> int:
    return 1


@task
def fail(text: str = "no") -> None:
    raise ValueError(text)


@task
def halves(n: int) -> None:
    if n % 2:
        raise ValueError(f"{n} is odd")


@task
def refuse() -> None:
    raise signals.FAIL("not today")


@task(trigger=triggers.all_finished)
def fail_after(_: object) -> None:
    raise KeyError("late")


@task(trigger=triggers.all_finished)
def end(_: object) -> None:
    return None


def alone() -> None:
    fail()


def with_tasks_after() -> None:
    fine(fine(fail()))


def several() -> None:
    fail("first")
    fail("second")
    fail("third")


def mapped() -> None:
    fine(halves.map([2, 4, 5, 7]))


def by_signal() -> None:
    refuse()


def by_its_upstream_first() -> None:
    fail_after(fail("root"))


def beside_one_that_does_not_count() -> None:
    unrelated = fail("unrelated")
    end(unrelated)
    fine(fail("counts"))


def with_many_lines() -> None:
    fail("one\ntwo" + "x" * 1_000)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (alone, "Task fail-1 failed: ValueError: no"),
        (with_tasks_after, "Task fail-1 failed: ValueError: no"),
        (several, "Task fail-1 failed: ValueError: first. 2 other tasks failed too."),
        (mapped, "Task halves-1[2] failed: ValueError: 5 is odd. 1 other task failed too."),
        (by_signal, "Task refuse-1 failed: not today"),
        (by_its_upstream_first, "Task fail-1 failed: ValueError: root. 1 other task failed too."),
        (beside_one_that_does_not_count, "Task fail-2 failed: ValueError: counts. 1 other task failed too."),
        (with_many_lines, f"Task fail-1 failed: ValueError: one two{'x' * 478}..."),
    ],
)
def test_the_reason_is_the_first_task_that_failed_on_its_own(build: Callable[[], None], message: str) -> None:
    said: list[str | None] = []
    with Flow("f", on_failure=lambda _flow, state: said.append(state.message)) as flow:  # type: ignore[func-returns-value]
        build()
    flow.executor = LocalExecutor()
    state = flow.run(progress=False)
    assert isinstance(state, states.Failed)
    assert state.message == message
    assert said == [message]


def test_first_means_first_in_time() -> None:
    failed = threading.Event()

    @task
    def waits() -> None:
        failed.wait(30)
        raise ValueError("after the other")

    @task
    def leads() -> None:
        raise ValueError("before")

    def tell(_task: object, _old: states.State, new: states.State) -> None:
        if isinstance(new, states.Failed):
            failed.set()

    with Flow("f", executor=ThreadExecutor(max_workers=2)) as flow:
        waits()
        leads(task_args={"state_handlers": [tell]})
    state = flow.run(progress=False)
    assert state is not None and state.message.startswith("Task leads-1 failed: ValueError: before.")


def test_without_a_failed_task_the_sentence_stays() -> None:
    with Flow("f") as flow:
        only = fine()
    assert failed_run(flow, {only: states.Success()}, []).message == WITHOUT_CAUSE


def test_a_trigger_is_the_reason_when_nothing_else_failed() -> None:
    @task(trigger=triggers.any_failed)
    def cleans(_: object) -> None:
        return None

    with Flow("f") as flow:
        cleans(fine())
    state = flow.run(progress=False)
    assert state is not None and state.message.startswith("Task cleans-1 failed: ")
