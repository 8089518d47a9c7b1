"""No callable of an author starts a task over without end: handlers, triggers and RETRY have a bound, and LOOP can be stopped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from appliance import Flow, MemoryResult, context, manual_only, signals, states, task
from appliance.core.states import Mapped, State
from appliance.core.task import Task
from appliance.engine import steps
from appliance.engine.executors import Executor, LocalExecutor, ThreadExecutor
from appliance.engine.flow_runner import FlowRunner
from appliance.kit import clock

Handler = Callable[[Task, State, State], State | None]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(steps, "MOST_RESTARTS", 25)
    return 25


def answer(to: type[State], make: Callable[[], State]) -> Handler:
    """A handler that answers each such state with another."""

    def handler(_task: Task, _old: State, new: State) -> State | None:
        return make() if type(new) is to else None

    return handler


def raising(to: type[State], signal: Callable[[], BaseException]) -> Handler:
    def handler(_task: Task, _old: State, new: State) -> State | None:
        if type(new) is to:
            raise signal()
        return None

    return handler


def soon() -> Any:
    return clock.now() + timedelta(microseconds=200)


HANDLERS: dict[str, Handler] = {
    "Retrying to Running": answer(states.Running, states.Retrying),
    "Retrying to Success": answer(states.Success, states.Retrying),
    "Retrying soon to Success": answer(states.Success, lambda: states.Retrying(start_time=soon())),
    "Scheduled to Running": answer(states.Running, states.Scheduled),
    "Scheduled to Success": answer(states.Success, states.Scheduled),
    "Looped to Success": answer(states.Success, states.Looped),
    "Queued to Running": answer(states.Running, states.Queued),
    "a short pause to Success": answer(states.Success, lambda: states.Paused(start_time=clock.now())),
    "Resume to Running": answer(states.Running, states.Resume),
    "Resume to Success": answer(states.Success, states.Resume),
    "RETRY to Running": raising(states.Running, signals.RETRY),
    "LOOP to Success": raising(states.Success, signals.LOOP),
}
ENDLESS = r"started over 25 times in one run. Look for a state handler, a trigger or a RETRY"


@task
def give(value: Any = None) -> Any:
    return value


def ends(watched: Callable[[], Task], executor: Executor) -> State:
    with Flow("f") as flow:
        only = watched()
    state = flow.run(progress=False, executor=executor)
    assert state is not None
    own: State = state.result[only]
    return own


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("executor", [LocalExecutor(), ThreadExecutor(2)], ids=["local", "threads"])
@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_that_always_asks_for_another_start_is_stopped(name: str, executor: Executor) -> None:
    state = ends(lambda: give.copy(state_handlers=[HANDLERS[name]])(), executor)
    assert type(state) is states.Failed
    assert state.message is not None
    assert "started over 25 times" in state.message


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", HANDLERS)
def test_so_is_one_with_retries_of_its_own(name: str) -> None:
    retried = give.copy(state_handlers=[HANDLERS[name]], max_retries=3, retry_delay=0)
    state = ends(retried, LocalExecutor())
    assert type(state) is states.Failed
    assert "started over 25 times" in (state.message or "")


@pytest.mark.usefixtures("few")
def test_so_is_one_of_a_mapped_task() -> None:
    handler = answer(states.Mapped, states.Retrying)
    state = ends(lambda: give.copy(state_handlers=[handler]).map([1, 2]), LocalExecutor())
    assert type(state) is states.Failed
    handler = answer(states.Success, states.Retrying)
    state = ends(lambda: give.copy(state_handlers=[handler]).map([1, 2]), LocalExecutor())
    assert isinstance(state, Mapped)
    assert [type(child) for child in state.map_states] == [states.Failed] * 2


def retry(_upstream: Any = None) -> bool:
    raise signals.RETRY


def pause(_upstream: Any = None) -> bool:
    raise signals.PAUSE(start_time=clock.now())


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("trigger", [retry, pause])
def test_a_trigger_that_always_asks_for_another_start_is_stopped(trigger: Callable[..., bool]) -> None:
    state = ends(lambda: give.copy(trigger=trigger)(), LocalExecutor())
    assert type(state) is states.Failed
    assert "started over 25 times" in (state.message or "")


def test_a_task_that_always_raises_retry_is_stopped(few: int) -> None:
    counts: list[int] = []

    @task(max_retries=5, retry_delay=0)
    def poll() -> None:
        counts.append(context.task_run_count)
        retry()

    state = ends(poll, LocalExecutor())
    assert type(state) is states.Failed
    assert counts == list(range(1, 1 + 5 + few + 1))


def test_the_bound_in_force_is_the_documented_one() -> None:
    state = ends(lambda: give.copy(state_handlers=[HANDLERS["Scheduled to Running"]])(), LocalExecutor())
    assert "started over 10,000 times in one run" in (state.message or "")


def test_resume_in_answer_to_a_pause_runs_the_task() -> None:
    approve = answer(states.Paused, states.Resume)
    state = ends(lambda: give.copy(trigger=manual_only, state_handlers=[approve])("done"), LocalExecutor())
    assert isinstance(state, states.Success)
    assert state.result == "done"


def test_a_handler_may_return_the_state_it_was_given(few: int) -> None:
    @task(state_handlers=[lambda _task, _old, new: new])
    def count() -> int:
        if context.task_loop_count <= 4 * few:
            raise signals.LOOP
        return int(context.task_loop_count)

    assert ends(count, LocalExecutor()).result == 4 * few + 1


def test_a_loop_without_end_can_be_cancelled() -> None:
    rounds: list[int] = []

    @task
    def forever() -> None:
        rounds.append(context.task_loop_count)
        raise signals.LOOP

    class Stopped(FlowRunner):
        def should_stop(self) -> bool:
            return len(rounds) >= 50

    with Flow("f") as flow:
        only = forever()
    state = Stopped(flow).run()
    assert isinstance(state, states.Cancelled)
    assert isinstance(state.result[only], states.Cancelled)
    assert len(rounds) == 50


def again(*_given: Any, **_names: Any) -> Any:
    raise signals.RETRY("again")


CALLABLES: dict[str, tuple[dict[str, Any], type[State]]] = {
    "cache_validator": ({"cache_for": timedelta(hours=1), "cache_validator": again}, states.Cached),
    "target": ({"target": again, "result": MemoryResult()}, states.Failed),
    "location": ({"result": MemoryResult(location=again)}, states.Failed),
    "task_run_name": ({"task_run_name": again}, states.Success),
}


@pytest.mark.parametrize("name", CALLABLES)
def test_a_signal_from_a_callable_that_is_no_task_is_an_error_of_that_callable(name: str) -> None:
    options, kind = CALLABLES[name]
    watched = give.copy(**options)
    for _ in range(2):
        state = ends(lambda: watched("a value"), LocalExecutor())
    assert type(state) is kind, state


UNTRUE: dict[str, Handler] = {
    "Looped to Running": answer(states.Running, states.Looped),
    "LOOP to Running": raising(states.Running, signals.LOOP),
    "Mapped to Running": answer(states.Running, states.Mapped),
    "Mapped to Success": answer(states.Success, states.Mapped),
}


@pytest.mark.parametrize("name", UNTRUE)
def test_a_handler_can_not_choose_a_state_that_is_untrue(name: str) -> None:
    state = ends(lambda: give.copy(name="given", state_handlers=[UNTRUE[name]])(), LocalExecutor())
    assert type(state) is states.Failed
    assert "State handler handler chose" in (state.message or "")
    state = ends(lambda: give.copy(name="given", state_handlers=[UNTRUE[name]]).map([1, 2]), LocalExecutor())
    assert isinstance(state, Mapped)
    assert [type(child) for child in state.map_states] == [states.Failed] * 2
    state = ends(lambda: give.copy(state_handlers=[answer(Mapped, states.Looped)]).map([1, 2]), LocalExecutor())
    assert type(state) is states.Failed
