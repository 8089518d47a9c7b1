"""`@flow`: the same graph as a `with` block, built once, callable alone and inside other flows."""

from __future__ import annotations

from typing import Any

import cloudpickle
import pytest

from appliance.core.errors import FlowBuildError
from appliance.core.flow import Flow
from appliance.core.flow_decorator import flow
from appliance.core.parameter import Parameter
from appliance.core.serialize import serialize
from appliance.core.task_decorator import task
from appliance.schedules.schedule import CronSchedule


@task
def add(x: int, y: int = 0) -> int:
    return x + y


@flow(schedule=CronSchedule("@daily"))
def nightly_sum(n: int, start: int = 0, note: str = "", flag: bool = False):
    """Add things up."""
    total = add(n, start)
    return add(total, 2)


def test_both_ways_give_the_same_document() -> None:
    with Flow("nightly-sum", schedule=CronSchedule("@daily")) as classic:
        n, start = Parameter("n", type=int), Parameter("start", default=0, type=int)
        Parameter("note", default="", type=str)
        Parameter("flag", default=False, type=bool)
        last = add(add(n, start), 2)
    classic.set_reference_tasks([last])
    assert serialize(nightly_sum) == serialize(classic)
    assert (nightly_sum.__name__, nightly_sum.__doc__) == ("nightly_sum", "Add things up.")


def test_it_is_a_flow_that_a_call_runs_or_builds_into_another() -> None:
    assert isinstance(nightly_sum, Flow)
    state = nightly_sum(5, start=1)
    assert [state.result[t].result for t in nightly_sum.reference_tasks()] == [8]
    with Flow("outer") as outer:
        inner = nightly_sum(10)
    state = outer.run()
    assert state is not None
    assert state.result[inner].result == 12
    assert outer.parameters() == []
    with pytest.raises(FlowBuildError, match="can't be called like this"):
        nightly_sum(1, 2, "", False, 5)
    assert cloudpickle.loads(cloudpickle.dumps(nightly_sum)).run(n=1, run_on_schedule=False).is_successful()


def test_functions_that_can_not_be_flows_are_refused() -> None:
    async def later() -> None: ...

    def spread(*args: Any) -> None: ...

    def wrong() -> int:
        return 3

    with pytest.raises(FlowBuildError, match="plain def"):
        flow(later)
    with pytest.raises(FlowBuildError, match=r"can't take '\*args'"):
        flow(spread)
    with pytest.raises(FlowBuildError, match="must return a task"):
        flow(wrong)
    with pytest.raises(TypeError, match="above a def"):
        flow("name")  # type: ignore[call-overload]
    assert flow(name="other")(lambda: None).name == "other"
