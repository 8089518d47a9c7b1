"""What the server learns of a loop: enough to follow it, and never a history that grows with every round."""

from __future__ import annotations

from typing import Any, cast

from appliance import Flow, context, signals, task
from appliance.core.states import State
from appliance.engine.flow_runner import FlowRunner
from appliance.engine.task_runner import TaskRunner
from appliance.engine.tracked.reporter import Reporter
from appliance.engine.tracked.task_runner import TrackedTaskRunner


class Journal:
    """A reporter that only keeps what it is given."""

    def __init__(self) -> None:
        self.states: list[State] = []

    def task_state(self, _slug: str, _index: int, state: State, *_more: Any) -> None:
        self.states.append(state)


def history(rounds: int, fails_in: int = 0) -> list[str]:
    """The states that the server learns of a task that loops so many times and fails once in one round."""

    @task(max_retries=1, retry_delay=0)
    def looping() -> int:
        count = int(context.task_loop_count)
        if count == fails_in and context.task_run_count == 1:
            raise ConnectionError
        if count < rounds:
            raise signals.LOOP
        return count

    journal = Journal()

    class Runner(FlowRunner):
        def make_task_runner(self) -> TaskRunner:
            reporter = cast(Reporter, journal)
            slugs, constants = self.flow.slugs, self.flow.constants
            return TrackedTaskRunner(reporter, self.context, slugs, constants, self.stop_requested)

    with Flow("f") as flow:
        only = looping()
    assert Runner(flow).run().result[only].result == rounds
    return [state.name for state in journal.states]


def test_every_round_of_a_short_loop_is_reported() -> None:
    assert history(3) == ["Running", *["Pending", "Running"] * 2, "Success"]


def test_the_history_of_a_long_loop_stays_short() -> None:
    names = history(1000)
    assert len(names) == 2 + 2 * (99 + len([128, 256, 512]))
    assert names[-3:] == ["Pending", "Running", "Success"]


def test_a_retry_in_an_unreported_round_is_reported_with_its_start() -> None:
    assert history(201, fails_in=200)[-3:] == ["AwaitingRetry", "Running", "Success"]
