"""Building graphs: calls, constants, collections, operators, mapping marks, slugs, order and the errors on the way."""

from __future__ import annotations

import warnings
from datetime import timedelta
from typing import Any

import pytest

from appliance.core.annotations import flatten, mapped, unmapped
from appliance.core.building import loading, tags
from appliance.core.edge import Edge
from appliance.core.errors import CycleError, FlowBuildError, NoActiveFlowError, TaskDefinitionError
from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.task import Task
from appliance.core.task_decorator import task


@task
def one() -> int:
    return 1


@task
def add(x: Any, y: Any = 0) -> Any:
    return x + y


class Double(Task):
    def run(self, x: int) -> int:
        return 2 * x


def edges(flow: Flow) -> set[tuple[str, str, str | None, bool, bool]]:
    slugs = flow.slugs
    return {(slugs[e.upstream_task], slugs[e.downstream_task], e.key, e.mapped, e.flattened) for e in flow.edges}


def test_calls_build_the_graph_and_keep_constants_out_of_it() -> None:
    with Flow("f") as flow:
        a = one()
        b = add(a, y=5)
        Double(name="twice")(b, upstream_tasks=[a])
    assert list(flow.slugs.values()) == ["one-1", "add-1", "twice-1"]
    assert edges(flow) == {
        ("one-1", "add-1", "x", False, False),
        ("add-1", "twice-1", "x", False, False),
        ("one-1", "twice-1", None, False, False),
    }
    assert flow.constants == {b: {"y": 5}}
    assert flow.root_tasks() == [a]
    assert [t.name for t in flow.terminal_tasks()] == ["twice"]
    assert flow.reference_tasks() == flow.terminal_tasks()
    assert flow.upstream_tasks(b) == [a]
    assert flow.get_tasks(name="add") == [b]


def test_a_call_copies_and_slugs_count() -> None:
    with Flow("f") as flow, tags("t2"):
        first, second = one(), one(task_args={"name": "uno", "tags": ["t1"]})
    assert first is not one
    assert flow.slugs == {first: "one-t2-1", second: "uno-t1-t2-1"}
    assert one.slug is None


def test_collections_that_hold_tasks_become_tasks() -> None:
    with Flow("f") as flow:
        a = one()
        add(x=[1, a, (a, 2)], y={"k": a})
        add(x=[1, 2], y={"k": 3})
    kinds = [t.name for t in flow.tasks if t.auto_generated]
    assert sorted(kinds) == ["Dict", "List", "List", "Tuple"]
    assert flow.constants[flow.get_tasks(slug="add-2")[0]] == {"x": [1, 2], "y": {"k": 3}}


def test_marks_of_mapping() -> None:
    with Flow("f") as flow:
        a = one()
        add.map(a, y=unmapped(a))
        add.map([1, 2], unmapped(3))
        add(mapped(a), y=flatten(a))
    found = {(down, key, is_mapped, flat) for _, down, key, is_mapped, flat in edges(flow)}
    assert found == {
        ("add-1", "x", True, False),
        ("add-1", "y", False, False),
        ("add-2", "x", True, False),
        ("add-3", "x", True, False),
        ("add-3", "y", True, True),
    }
    assert flow.constants[flow.get_tasks(slug="add-2")[0]] == {"y": 3}


def test_operators_items_and_unpacking() -> None:
    @task(nout=2)
    def pair() -> tuple[int, int]:
        return 1, 2

    @task
    def hinted() -> tuple[int, str]:
        return 1, "a"

    with Flow("f") as flow:
        a, b = pair()
        c, d = hinted()
        (a + b) * 2
        _ = a > 1
        _ = 1 - b
        c.is_equal(d)
        with pytest.raises(TypeError, match="nout"):
            list(one())
    names = [t.name for t in flow.tasks]
    assert names.count("GetItem") == 4
    assert {"Add", "Mul", "GreaterThan", "Sub", "Equal"} <= set(names)


def test_functional_building() -> None:
    a, b, c = Task("a"), Task("b"), Double("c")
    flow = Flow("f", tasks=[a], edges=[Edge(a, b)])
    flow.chain(a, b, c)
    b.set_downstream(c, flow=flow, key="x")
    c.set_upstream(a, flow=flow)
    assert edges(flow) == {
        ("a-1", "b-1", None, False, False),
        ("b-1", "c-1", None, False, False),
        ("b-1", "c-1", "x", False, False),
        ("a-1", "c-1", None, False, False),
    }
    flow.set_reference_tasks([b])
    assert flow.reference_tasks() == [b]
    with pytest.raises(FlowBuildError, match="not in flow"):
        flow.set_reference_tasks([Task("z")])


def test_order_is_topological_and_a_circle_is_named() -> None:
    a, b, c = Task("a"), Task("b"), Task("c")
    flow = Flow("f", tasks=[c, b, a], edges=[Edge(a, b), Edge(b, c)])
    assert [t.name for t in flow.sorted_tasks()] == ["a", "b", "c"]
    flow.add_edge(c, a)
    with pytest.raises(
        CycleError, match=r"in a circle: (a-1 -> b-1 -> c-1 -> a-1|b-1 -> c-1 -> a-1 -> b-1|c-1 -> a-1 -> b-1 -> c-1);"
    ):
        flow.validate()


def test_a_diamond_is_no_circle_and_long_chains_need_no_recursion() -> None:
    with Flow("f") as flow:
        a = one()
        add(add(a), add(a))
        last = a
        for _ in range(3000):
            last = add(last)
    order = {t: i for i, t in enumerate(flow.sorted_tasks())}
    assert all(order[e.upstream_task] < order[e.downstream_task] for e in flow.edges)


def test_wrong_building_is_refused_in_one_sentence() -> None:
    with pytest.raises(
        NoActiveFlowError,
        match=r"'one' was called outside a flow; call it inside `with Flow\(...\)` or use task.run\(\)",
    ):
        one()
    assert one.run() == 1
    with Flow("f") as flow:
        a = one()
        with pytest.raises(FlowBuildError, match="can't be called like this"):
            add(a, 1, 2)
        with pytest.raises(FlowBuildError, match="no argument 'z'"):
            flow.add_edge(a, one(), key="z")
        with pytest.raises(FlowBuildError, match="already has a value"):
            add(a).set_upstream(a, key="x")
        with pytest.raises(FlowBuildError, match="itself"):
            a.set_upstream(a)
        with pytest.raises(FlowBuildError, match="after the block"):
            flow.run()
        Parameter("p")
        with pytest.raises(FlowBuildError, match="already has a task with the slug 'p'"):
            Parameter("p")
    with pytest.raises(FlowBuildError, match="needs a name"):
        Flow("")


def test_run_and_register_do_nothing_while_the_file_is_loaded() -> None:
    flow = Flow("f")
    with loading(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert flow.run() is None
        assert flow.register("p") is None
    assert ["ignored while the file" in str(w.message) for w in caught] == [True, True]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"max_retries": 1}, TaskDefinitionError, "no retry_delay"),
        ({"retry_delay": timedelta(1)}, TaskDefinitionError, "no max_retries"),
        ({"retry_on": ValueError}, TaskDefinitionError, "retry_on"),
        ({"max_retries": -1}, TaskDefinitionError, "whole number"),
        ({"max_retries": 1, "retry_delay": "5 s"}, TypeError, "timedelta"),
        ({"max_retries": 1, "retry_delay": timedelta(1), "retry_on": [3]}, TypeError, "exception class"),
        ({"timeout": "5"}, TypeError, "seconds"),
        ({"timeout": 0}, TaskDefinitionError, "more than zero"),
        ({"tags": "x"}, TypeError, "list of strings"),
        ({"state_handlers": print}, TypeError, "list of functions"),
    ],
)
def test_contradictory_options_are_refused(options: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Task("t", **options)


def test_signatures_that_could_not_be_bound_are_refused() -> None:
    with pytest.raises(TaskDefinitionError, match=r"\*args"):
        task(lambda *args: None)
    with pytest.raises(TaskDefinitionError, match="positional-only"):
        task(lambda x, /: None)
    with pytest.raises(TaskDefinitionError, match="'mapped'"):
        task(lambda mapped: None)
    with pytest.raises(TaskDefinitionError, match=r"Double\(\)\(...\)"):
        Double(one)  # type: ignore[arg-type]
