"""Runs of whole flows with the local executor: results, failures, retries, timeouts, signals, handlers, pauses, cancelling."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import timedelta
from typing import Any

import pytest

from appliance.core import signals, states, triggers
from appliance.core.annotations import unmapped
from appliance.core.context import context
from appliance.core.control import case, merge, switch
from appliance.core.errors import MissingParameterError, UnknownParameterError
from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.parameter import Parameter
from appliance.core.states import State
from appliance.core.task import Task
from appliance.core.task_decorator import task
from appliance.engine.flow_runner import FlowRunner, earlier_states
from appliance.engine.run import run_flow
from appliance.engine.task_runner import TaskRunner
from appliance.kit import clock
from appliance.schedules.clocks import CronClock
from appliance.schedules.errors import ScheduleError
from appliance.testing import stopped_clock

AT_ONCE = timedelta(0)


@task
def one() -> int:
    return 1


@task
def add(x: int, y: int = 0) -> int:
    return x + y


@task
def fail() -> None:
    raise ValueError("broken")


def by_slug(flow: Flow, state: State) -> dict[str, State]:
    return {flow.slugs[t]: s for t, s in state.result.items()}


def names(flow: Flow, state: State) -> dict[str, str]:
    return {slug: type(s).__name__ for slug, s in by_slug(flow, state).items()}


def test_results_flow_through_the_graph() -> None:
    with Flow("f") as flow:
        a = one()
        b = add(a, 5)
        c = add(x=b + 1, y=[10, a][0])
        d = task(lambda x, y: {"x": x, **y}, name="gather")([a, (b, c)], {"k": c})
    state = flow.run()
    assert isinstance(state, states.Success)
    assert state.result[c].result == 17
    assert state.result[d].result == {"x": [1, (6, 17)], "k": 17}
    assert state.result[b].context["task_run_count"] == 1


def test_parameters_reach_tasks_and_context() -> None:
    @task
    def see(n: int) -> Any:
        return n, context.parameters["m"], context.flow_name, context.task_slug, context.map_index, context.today

    with Flow("f") as flow:
        n = Parameter("n")
        Parameter("m", default=2)
        out = see(n)
    state = flow.run(parameters={"n": 1}, m=7)
    assert state is not None
    assert state.result[out].result[:5] == (1, 7, "f", "see-1", -1)
    with pytest.raises(MissingParameterError):
        flow.run()
    with pytest.raises(UnknownParameterError):
        flow.run(n=1, z=2)


def test_a_failure_tells_cause_and_place_and_stops_what_follows(caplog: pytest.LogCaptureFixture) -> None:
    with Flow("f") as flow:
        bad = fail()
        after = add(bad)
        beside = one()
    state = flow.run()
    assert isinstance(state, states.Failed)
    assert names(flow, state) == {"fail-1": "Failed", "add-1": "TriggerFailed", "one-1": "Success"}
    failed = state.result[bad]
    assert failed.message == "ValueError: broken"
    assert isinstance(failed.result, ValueError)
    assert failed.data["exception"] == "ValueError"
    assert failed.data["location"].startswith("test_runs.py:")
    assert failed.data["location"].endswith(" in fail")
    assert 'raise ValueError("broken")' in failed.data["traceback"]
    assert "task_runner.py" not in failed.data["traceback"]
    assert "steps.py" not in failed.data["traceback"]
    assert "'fail'" in state.result[after].message
    assert state.data["task_slug"] == "fail-1"
    assert state.data["cause"] == "ValueError: broken"
    assert state.result[beside].result == 1
    errors = [
        r
        for r in caplog.records
        if r.levelno == logging.ERROR and "task_slug" in r.__dict__ and r.task_slug == "fail-1"
    ]
    assert len(errors) == 1
    assert "Traceback" in errors[0].getMessage()


def test_reference_tasks_decide() -> None:
    with Flow("f") as flow:
        bad, good = fail(), one()
        clean = Task("clean", trigger=triggers.all_finished)
        clean.run = lambda: None  # type: ignore[method-assign]
        clean.set_upstream(bad)
    assert isinstance(flow.run(), states.Success)
    flow.set_reference_tasks([bad, good])
    assert isinstance(flow.run(), states.Failed)
    flow.terminal_state_handler = lambda _flow, _state, keys: states.Success(f"{len(keys)} forgiven")
    state = flow.run()
    assert state is not None
    assert state.message == "2 forgiven"


def flaky(times: int, error: type[BaseException] = ValueError, **options: Any) -> tuple[Task, list[int]]:
    seen: list[int] = []

    def run() -> str:
        seen.append(context.task_run_count)
        if len(seen) <= times:
            raise error("not yet")
        return "done"

    return task(run, **options), seen


def test_retries_until_it_works() -> None:
    work, seen = flaky(2, max_retries=3, retry_delay=AT_ONCE)
    with Flow("f") as flow:
        w = work()
    state = flow.run()
    assert state is not None
    assert state.result[w].result == "done"
    assert seen == [1, 2, 3]
    assert state.result[w].context["task_run_count"] == 3


@pytest.mark.parametrize(
    ("error", "retry_on", "attempts", "final"),
    [
        (ValueError, None, 3, states.Failed),
        (ValueError, (KeyError, LookupError), 1, states.Failed),
        (KeyError, LookupError, 3, states.Failed),
        (signals.FAIL, None, 3, states.Failed),
        (signals.VALIDATIONFAIL, None, 3, states.ValidationFailed),
        (SystemExit, None, 3, states.Failed),
        (signals.SKIP, None, 1, states.Skipped),
    ],
)
def test_what_is_retried(error: type[BaseException], retry_on: Any, attempts: int, final: type[State]) -> None:
    work, seen = flaky(99, error, max_retries=2, retry_delay=AT_ONCE, retry_on=retry_on)
    with Flow("f") as flow:
        w = work()
    state = flow.run()
    assert state is not None
    assert len(seen) == attempts
    assert type(state.result[w]) is final


def test_the_retry_signal_ignores_max_retries() -> None:
    work, seen = flaky(2, signals.RETRY)
    with Flow("f") as flow:
        work()
    assert isinstance(flow.run(), states.Success)
    assert seen == [1, 2, 3]


def test_signals_end_a_task_in_their_state() -> None:
    def raising(signal: BaseException) -> Task:
        def run() -> None:
            try:
                raise signal
            except Exception:
                return

        return task(run, name=type(signal).__name__)

    with Flow("f") as flow:
        ok = raising(signals.SUCCESS("fine", result=5))()
        skip = raising(signals.SKIP())()
        after = add(skip)
        all_the_same = add(task_args={"skip_on_upstream_skip": False}, x=1, upstream_tasks=[skip])
        bad = raising(signals.FAIL("no"))()
    state = flow.run()
    assert state is not None
    kinds = {t: type(s) for t, s in state.result.items()}
    assert kinds == {
        ok: states.Success,
        skip: states.Skipped,
        after: states.Skipped,
        all_the_same: states.Success,
        bad: states.Failed,
    }
    assert state.result[ok].result == 5
    assert state.result[bad].message == "no"
    assert state.result[bad].data["location"].startswith("test_runs.py:")


def test_loops() -> None:
    @task
    def count(start: int) -> int:
        value: int = start if context.task_loop_result is None else context.task_loop_result
        if context.task_loop_count < 4:
            raise signals.LOOP(result=value + 1)
        return value

    with Flow("f") as flow:
        c = count(10)
    state = flow.run()
    assert state is not None
    assert state.result[c].result == 13


@pytest.mark.parametrize("in_thread", [False, True])
def test_timeouts(in_thread: bool) -> None:
    release = threading.Event()

    def let_go(_task: Any, _old: State, new: State) -> None:
        if isinstance(new, states.TimedOut):  # the run waits for code that goes on in its thread
            release.set()

    @task(timeout=0.05, state_handlers=[let_go])
    def slow() -> None:
        release.wait(20)

    @task(timeout=timedelta(seconds=20))
    def quick() -> int:
        return 1

    @task(timeout=0.05)
    async def slow_async() -> None:
        await asyncio.Event().wait()  # for ever

    with Flow("f") as flow:
        s, q, a = slow(), quick(), slow_async()
    found: list[State] = []
    if in_thread:
        thread = threading.Thread(target=lambda: found.append(run_flow(flow)))
        thread.start()
        thread.join(10)
    else:
        found.append(run_flow(flow))
    result = found[0].result
    assert [type(result[t]) for t in (s, q, a)] == [states.TimedOut, states.Success, states.TimedOut]
    assert ("continues in the background" in result[s].message) is in_thread
    assert "0.05 s" in result[a].message


def test_async_tasks_and_their_results() -> None:
    @task
    async def fetch(x: int) -> int:
        await asyncio.to_thread(lambda: None)
        return x + 1

    with Flow("f") as flow:
        f = fetch(fetch(1))
    state = flow.run()
    assert state is not None
    assert state.result[f].result == 3

    async def inside_a_loop() -> State | None:
        return flow.run()

    assert isinstance(asyncio.run(inside_a_loop()), states.Success)


def test_handlers_see_every_change_and_may_replace_it() -> None:
    seen: list[str] = []

    def watch(target: Any, old: State, new: State) -> None:
        seen.append(f"{target.name}: {type(old).__name__} -> {type(new).__name__}")

    def forgive(_target: Any, _old: State, new: State) -> State | None:
        return states.Success("forgiven") if new.is_failed() else None

    work, _ = flaky(1, name="work", max_retries=1, retry_delay=AT_ONCE, state_handlers=[watch])
    with Flow("f", state_handlers=[watch]) as flow:
        work()
        fail(task_args={"state_handlers": [forgive]})
    assert isinstance(flow.run(), states.Success)
    assert seen == [
        "f: Pending -> Running",
        "work: Pending -> Running",
        "work: Running -> Failed",
        "work: Failed -> Retrying",
        "work: Retrying -> Running",
        "work: Running -> Success",
        "f: Running -> Success",
    ]


def test_on_failure_and_handlers_that_fail() -> None:
    failures: list[str] = []

    def broken(_target: Any, _old: State, new: State) -> None:
        if new.is_successful():
            raise RuntimeError("handler")

    with Flow("f", on_failure=lambda flow, state: failures.append(f"{flow.name}: {state.message}")) as flow:  # type: ignore[func-returns-value]
        b = one(task_args={"state_handlers": [broken]})
    state = flow.run()
    assert state is not None
    assert state.result[b].message == "Exception raised while calling state handlers: RuntimeError: handler"
    assert failures == ["f: Task one-1 failed: Exception raised while calling state handlers: RuntimeError: handler"]


def test_a_pause_leaves_the_flow_unfinished() -> None:
    with Flow("f") as flow:
        asks = one(task_args={"trigger": triggers.manual_only})
        after = add(asks)
    state = flow.run()
    assert isinstance(state, states.Paused)
    assert state.start_time is None
    assert state.message == "The flow has not finished: 'one' is paused and waits for a person."
    assert isinstance(state.result[asks], states.Paused)
    assert isinstance(state.result[after], states.Pending)
    resumed = flow.run(task_states={("one-1", -1): states.Resume()})
    assert isinstance(resumed, states.Success)


def test_a_retry_that_is_far_away_leaves_the_flow_unfinished() -> None:
    work, seen = flaky(1, max_retries=1, retry_delay=timedelta(hours=1))

    class Impatient(FlowRunner):
        longest_wait = 600.0

    with Flow("f") as flow:
        kept, seen_once = flaky(0, name="kept")
        out = add(work(), kept())
    first = Impatient(flow).run()
    assert isinstance(first, states.Retrying)
    assert first.start_time is not None
    assert first.start_time - clock.now() > timedelta(minutes=59)
    assert isinstance(first.result[out], states.Pending)
    earlier = {
        key: states.Retrying(run_count=1, context={"task_run_count": 1}) if state.is_retrying() else state
        for key, state in earlier_states(flow, first.result).items()
    }
    second = Impatient(flow, initial_task_states=earlier).run()
    assert isinstance(second, states.Success)
    assert seen == [1, 2]
    assert seen_once == [1]


def test_what_does_not_depend_on_a_retry_goes_first() -> None:
    order: list[str] = []
    with Flow("f") as flow:
        work, _ = flaky(1, max_retries=1, retry_delay=timedelta(seconds=0.05))
        after = task(lambda x: order.append("after"), name="after")(work())
        other = task(lambda: order.append("other"), name="other")()
    state = flow.run()
    assert isinstance(state, states.Success)
    assert {type(state.result[t]) for t in (after, other)} == {states.Success}
    assert order == ["other", "after"]


class Tidy(Task):
    """Notes that it ran."""

    runs_on_cancel = True
    default_trigger = staticmethod(triggers.all_finished)

    def __init__(self, notes: list[str]) -> None:
        super().__init__(name="tidy")
        self.notes = notes

    def run(self, resource: Any) -> None:
        self.notes.append(f"tidied {resource}")


def test_what_tidies_up_runs_after_an_interrupt_too() -> None:
    notes: list[str] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    with Flow("f") as flow:
        resource = one(task_args={"name": "set up"})
        body = task(interrupt)(upstream_tasks=[resource])
        Tidy(notes).bind(resource, upstream_tasks=[body])
    state = flow.run()
    assert isinstance(state, states.Cancelled)
    assert notes == ["tidied 1"]


def test_branches() -> None:
    with Flow("f") as flow:
        kind = Parameter("kind")
        with case(kind, "a"):
            a = one()
            a2 = add(a, 1)
        with case(kind, "b"):
            b = add(10)
        out = merge(a2, b)
        x, y = one(), one()
        switch(kind, {"a": x, "b": y})
    for value, result, taken in (("a", 2, x), ("b", 10, y)):
        state = flow.run(kind=value)
        assert isinstance(state, states.Success)
        assert state.result[out].result == result
        assert {t for t in (x, y) if not state.result[t].is_skipped()} == {taken}


def test_log_stdout_and_the_records_context(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    @task(log_stdout=True)
    def loud(x: int) -> None:
        print("line", x)
        print("no newline", end="")
        get_logger().warning("mine")

    @task
    def quiet() -> None:
        print("plain")

    with Flow("f") as flow:
        loud.map([7])
        quiet()
    flow.run()
    records = [
        (r.getMessage(), r.task_slug, r.map_index) for r in caplog.records if getattr(r, "task_slug", None) == "loud-1"
    ]
    assert records == [("line 7", "loud-1", 0), ("mine", "loud-1", 0), ("no newline", "loud-1", 0)]
    assert capsys.readouterr().out == "plain\n"


class Tracked(FlowRunner):
    """What a tracking subclass does with the hooks."""

    def __init__(self, *args: Any, stop_after: str | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.told: list[tuple[str, int, str, str, int]] = []
        self.flow_states: list[str] = []
        self.stop_after = stop_after

    def state_changed(self, old: State, new: State) -> None:
        self.flow_states.append(new.name)

    def should_stop(self) -> bool:
        return any(slug == self.stop_after and name == "Success" for slug, _, _, name, _ in self.told)

    def make_task_runner(self) -> TaskRunner:
        runner, told = super().make_task_runner(), self.told

        class Telling(TaskRunner):
            def state_changed(self, task_slug: str, map_index: int, old: State, new: State, run_count: int) -> None:
                told.append((task_slug, map_index, old.name, new.name, run_count))

        return Telling(runner.context, runner.slugs, runner.constants, runner.should_stop, runner.initial_states)


def test_hooks_are_told_settled_changes_only() -> None:
    work, _ = flaky(1, name="work", max_retries=1, retry_delay=AT_ONCE)
    with Flow("f") as flow:
        work()
    runner = Tracked(flow)
    runner.run()
    assert runner.flow_states == ["Running", "Success"]
    assert runner.told == [
        ("work-1", -1, "Pending", "Running", 1),
        ("work-1", -1, "Running", "AwaitingRetry", 1),
        ("work-1", -1, "AwaitingRetry", "Running", 2),
        ("work-1", -1, "Running", "Success", 2),
    ]


def test_a_cancelled_run_starts_nothing_more() -> None:
    with Flow("f") as flow:
        a = one()
        b = add(a)
        c = add.map([1, 2], y=unmapped(b))
    runner = Tracked(flow, stop_after="one-1")
    state = runner.run()
    assert isinstance(state, states.Cancelled)
    assert {slug: name for slug, _, _, name, _ in runner.told if slug != "Constant-1"} == {
        "one-1": "Success",
        "add-1": "Cancelled",
        "add-2": "Cancelled",
    }
    assert isinstance(state.result[c], states.Cancelled)


def test_what_succeeded_before_is_not_run_again() -> None:
    work, seen = flaky(0, name="work")
    with Flow("f") as flow:
        w = work()
        out = add(w, "!")
    state = run_flow(flow, task_states={("work-1", -1): states.Success(result="kept"), ("add-1", -1): states.Pending()})
    assert seen == []
    assert state.result[out].result == "kept!"


def test_an_interrupt_cancels() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with Flow("f") as flow:
        task(interrupt)()
    runner = Tracked(flow)
    assert isinstance(runner.run(), states.Cancelled)
    assert runner.told[-1][3] == "Cancelled"


def test_run_on_schedule_needs_times() -> None:
    over = CronClock("@daily", end_date=None, start_date=None)
    over.document["end"] = "2020-01-01T00:00:00Z"
    with pytest.raises(ScheduleError, match="no more scheduled runs"):
        Flow("f", schedule=over).run()
    with pytest.raises(ScheduleError, match="has no schedule"):
        Flow("f").run(run_on_schedule=True)
    assert isinstance(Flow("f", schedule=over).run(run_on_schedule=False), states.Success)


def test_names_of_task_runs() -> None:
    seen: list[str | None] = []

    @task(task_run_name="add {x} in {place}")
    def named(x: int) -> None:
        seen.append(context.task_run_name)

    with Flow("f") as flow:
        Parameter("place", default="here")
        named.map([1, 2])
        named(3, task_args={"task_run_name": "{missing}"})
    assert isinstance(flow.run(), states.Success)
    assert sorted(seen) == ["add 1 in here", "add 2 in here", "named-2"]


def test_retries_of_independent_tasks_wait_side_by_side() -> None:
    with stopped_clock() as time:
        began = clock.now()
        with Flow("f") as flow:
            for days in (3, 5):
                flaky(days, name=f"after {days}", max_retries=days, retry_delay=timedelta(days=1))[0]()
        assert isinstance(run_flow(flow), states.Success)
        assert clock.now() - began < timedelta(days=6)
    assert time is not None


def test_waiting_ends_when_what_was_waited_for_ends_in_the_same_round() -> None:
    """On a slow machine the time of a retry comes while others are still being tried."""
    with stopped_clock() as time:

        @task(max_retries=1, retry_delay=1)
        def fails_once(x: int) -> int:
            time.move(10)
            if context.task_run_count == 1:
                raise ValueError("again")
            return x

        with Flow("f") as flow:
            collected = task(lambda xs: xs, name="collect")(fails_once.map([1, 2, 3]))
        state = run_flow(flow)
    assert state.result[collected].result == [1, 2, 3]
