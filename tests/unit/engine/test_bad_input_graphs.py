"""The bad-input catalogue, case 90, as the flow is built: what no graph can be is refused with a sentence that names the tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from appliance.core.errors import CycleError, FlowBuildError
from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.task import Task
from appliance.core.task_decorator import task


def named(name: str, **options: Any) -> Task:
    return task(name=name, **options)(lambda x=None: x)


def circle() -> None:
    flow, a, b, c = Flow("f"), named("a"), named("b"), named("c")
    flow.chain(a, b, c, a)
    flow.run()


def long_circle() -> None:
    flow, tasks = Flow("f"), [named(f"t{number}") for number in range(5_000)]
    flow.chain(*tasks, tasks[0])
    flow.run()


def edge_to_itself() -> None:
    flow, a = Flow("f"), named("a")
    flow.add_edge(a, a)


def one_argument_twice() -> None:
    flow, a, b, c = Flow("f"), named("a"), named("b"), named("c")
    flow.add_edge(a, c, key="x")
    flow.add_edge(b, c, key="x")


def task_of_another_flow() -> None:
    with Flow("one"):
        a = named("a")()
    with Flow("two"):
        named("b")(a)


def same_slug() -> None:
    flow = Flow("f")
    flow.add_task(named("a", slug="same"))
    flow.add_task(named("b", slug="same"))


def same_parameter() -> None:
    with Flow("f"):
        Parameter("n")
        Parameter("n")


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (circle, "in a circle: a-1 -> b-1 -> c-1 -> a-1"),
        (long_circle, "in a circle"),
        (edge_to_itself, "'a' can't depend on itself"),
        (one_argument_twice, "'x' of task 'c' already has a value"),
        (task_of_another_flow, "'a' was called in a flow other than 'two'"),
        (same_slug, "slug 'same'"),
        (same_parameter, "slug 'n'"),
    ],
)
def test_case_90_what_no_graph_can_be_is_refused(build: Callable[[], None], says: str) -> None:
    with pytest.raises(FlowBuildError) as caught:
        build()
    assert says in str(caught.value)
    assert len(str(caught.value)) < 1_000
    assert isinstance(caught.value, CycleError) == (build in (circle, long_circle))


def test_case_90_the_same_edge_twice_is_one_edge() -> None:
    flow, a, b = Flow("f"), named("a"), named("b")
    flow.add_edge(a, b)
    flow.add_edge(a, b)
    assert len(flow.edges) == 1
