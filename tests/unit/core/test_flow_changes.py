"""Flows that are changed, copied, shared and pickled: nothing leaks from one into the other."""

from __future__ import annotations

import subprocess
import sys
from collections import namedtuple
from datetime import timedelta
from typing import Any

import cloudpickle
import pytest

from appliance.core.edge import Edge
from appliance.core.errors import CycleError, FlowBuildError
from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.serialize import serialize
from appliance.core.task import Task
from appliance.core.task_decorator import task
from tests import depth


@task
def one() -> int:
    return 1


@task
def add(x: Any, y: Any = 0) -> Any:
    return x + y


def test_a_task_in_two_flows_has_a_slug_in_each() -> None:
    a, b = Task("a"), Task("b")
    first, second = Flow("first", tasks=[Task("a"), a]), Flow("second")
    second.add_edge(a, b)
    assert (first.slugs[a], second.slugs[a]) == ("a-2", "a-1")
    assert a.slug is None


def test_a_wished_slug_is_kept_and_refused_twice() -> None:
    wish = task(lambda: 1, name="t", slug="mine")
    with Flow("f") as flow:
        called = wish()
        with pytest.raises(FlowBuildError, match="already has a task with the slug 'mine'"):
            wish()
        other = wish(task_args={"slug": "other"})
    assert flow.slugs == {called: "mine", other: "other"}


def test_a_task_that_was_called_in_another_flow_is_refused() -> None:
    with Flow("first"):
        a = one()
    with (
        Flow("second") as second,
        pytest.raises(FlowBuildError, match="'one' was called in a flow other than 'second'"),
    ):
        add(a)
    with pytest.raises(FlowBuildError, match="a flow other than"):
        second.add_edge(a, Task("b"))
    with pytest.raises(FlowBuildError, match="a flow other than"):
        Flow("third", edges=[Edge(a, Task("b"))])


def test_update_leaves_the_other_flow_as_it_is() -> None:
    with Flow("other") as other:
        add(one(), y=5)
    before = serialize(other)
    with Flow("f") as flow:
        mine = one()
    flow.update(other)
    assert list(flow.slugs.values()) == ["one-1", "one-2", "add-1"]
    assert serialize(other) == before
    flow.update(other)
    assert len(flow.tasks) == 3
    flow.constants[flow.tasks[2]]["y"] = 7
    assert other.constants[other.tasks[1]] == {"y": 5}
    assert flow.reference_tasks() == [mine, other.tasks[1]]


def test_update_can_merge_parameters_and_reference_tasks() -> None:
    def made(name: str) -> Flow:
        with Flow(name) as flow:
            first = add(Parameter("n", default=1))
            add(first)
        flow.set_reference_tasks([first])
        return flow

    flow, other = made("f"), made("other")
    with pytest.raises(FlowBuildError, match="slug 'n'"):
        flow.update(other)
    assert len(flow.tasks) == 3
    flow.update(other, merge_parameters=True, merge_reference_tasks=True)
    assert [flow.slugs[t] for t in flow.reference_tasks()] == ["add-1", "add-3"]
    assert len(flow.parameters()) == 1
    assert len(flow.downstream_tasks(flow.parameters()[0])) == 2


def test_replace_takes_over_edges_constants_and_references() -> None:
    with Flow("f") as flow:
        a = one()
        b = add(a, y=2)
        c = add(b)
    flow.set_reference_tasks([b])
    new = task(lambda x, y: x * y, name="times")
    assert flow.replace(b, new) is new
    assert list(flow.slugs.values()) == ["one-1", "times-1", "add-2"]
    assert flow.constants == {new: {"y": 2}}
    assert (flow.upstream_tasks(new), flow.downstream_tasks(new)) == ([a], [c])
    assert flow.reference_tasks() == [new]
    assert flow.run().result[c].result == 2  # type: ignore[union-attr]
    same = add.copy()
    flow.replace(c, same)
    assert flow.slugs[same] == "add-2"
    before = serialize(flow)
    with pytest.raises(FlowBuildError, match="no argument 'x'"):
        flow.replace(new, one.copy())
    with pytest.raises(FlowBuildError, match="nothing to replace"):
        flow.replace(Task("z"), Task("y"))
    assert serialize(flow) == before


VALUES: dict[str, Any] = {"a value": 5, "none": None, "a list": [1, 2], "a dict": {"a": 1}}


@pytest.mark.parametrize("name", VALUES)
def test_a_task_may_be_replaced_by_a_value(name: str) -> None:
    with Flow("f") as flow:
        first = one()
        b = add(first, y=2)
        c = task(lambda x: x, name="same")(b)
    new = flow.replace(b, VALUES[name])
    assert flow.upstream_tasks(c) == [new]
    assert b not in flow.tasks
    assert flow.run(progress=False).result[c].result == VALUES[name]  # type: ignore[union-attr]


def test_a_task_may_be_replaced_by_a_list_of_tasks() -> None:
    with Flow("f") as flow:
        first = one()
        before = task(lambda: None, name="before")()
        b = add(first, y=2, upstream_tasks=[before])
        c = task(lambda x: x, name="same")(b)
    flow.set_reference_tasks([b])
    extra = task(lambda: "extra", name="extra").copy()
    new = flow.replace(b, [first, extra, 7])
    assert flow.reference_tasks() == [new]
    assert set(flow.upstream_tasks(new)) == {first, extra, before}
    assert flow.run(progress=False).result[c].result == [1, "extra", 7]  # type: ignore[union-attr]
    with Flow("elsewhere"):
        foreign = one()
    known = serialize(flow)
    with pytest.raises(FlowBuildError, match="called in a flow other than"):
        flow.replace(new, [foreign])
    assert serialize(flow) == known


def test_a_task_may_be_replaced_by_a_parameter() -> None:
    with Flow("f") as flow:
        first = one()
        b = add(first, y=2)
        c = task(lambda x: x, name="same")(b)
    new = flow.replace(b, Parameter("n", default=4))
    assert flow.upstream_tasks(c) == [new]
    assert flow.upstream_tasks(new) == []
    assert flow.run(progress=False, n=7).result[c].result == 7  # type: ignore[union-attr]


def test_a_copy_can_be_changed_alone() -> None:
    with Flow("f") as flow:
        a = one()
    other = flow.copy()
    with other:
        add(a, y=1)
    assert len(flow.tasks) == 1
    assert flow.edges == []
    assert other.terminal_tasks() != flow.terminal_tasks()
    assert flow.constants == {}


def test_both_edges_between_a_pair_are_kept_and_doubles_refused() -> None:
    a, b = one.copy(), add.copy()
    flow = Flow("f")
    flow.add_edge(a, b, key="x")
    flow.add_edge(a, b, key="y")
    flow.add_edge(a, b)
    flow.add_edge(a, b)
    assert [edge.key for edge in flow.edges_to(b)] == ["x", "y", None]
    assert (flow.upstream_tasks(b), flow.downstream_tasks(a)) == ([a], [b])
    assert flow.all_upstream_edges() == {a: [], b: flow.edges}
    assert flow.all_downstream_edges() == {a: flow.edges, b: []}
    with pytest.raises(FlowBuildError, match="pass it only once"):
        flow.add_edge(a, b, key="x")
    with pytest.raises(FlowBuildError, match="pass it only once"):
        flow.set_dependencies(b, keyword_tasks={"y": 3})
    with pytest.raises(FlowBuildError, match="mapped differently"):
        flow.add_edge(a, b, mapped=True)


def test_validation_can_be_eager_and_knows_missing_values() -> None:
    a, b = Task("a"), Task("b")
    flow = Flow("f", edges=[Edge(a, b)])
    with pytest.raises(CycleError):
        flow.add_edge(b, a, validate=True)
    lonely = Flow("lonely", tasks=[add.copy()])
    with pytest.raises(FlowBuildError, match="'add-1' of flow 'lonely' has no value for its argument 'x'"):
        lonely.validate()
    lonely.set_dependencies(lonely.tasks[0], keyword_tasks={"x": 1})
    lonely.validate()


def test_the_order_can_begin_at_some_tasks() -> None:
    a, b, c = Task("a"), Task("b"), Task("c")
    flow = Flow("f", edges=[Edge(a, b), Edge(b, c)])
    assert list(flow.sorted_tasks([b])) == [b, c]
    assert flow.get_tasks(task_type=Parameter) == []
    assert flow.get_tasks(task_type=Task, name="a") == [a]


def test_collections_of_every_kind_and_tasks_as_keys() -> None:
    with Flow("f") as flow:
        a, b = one(), one()
        done = [add(x=value) for value in ({a, b, 5}, frozenset({a}), {a: "k", "v": b}, ([a], {"d": (b,)}))]
    state = flow.run()
    found = [state.result[t].result for t in done] if state is not None and state.is_successful() else None
    assert found is None  # a set plus a number fails; the collections themselves arrive
    kept = [state.result[t].result for t in flow.tasks if t.auto_generated]  # type: ignore[union-attr]
    assert {1, 5} in kept
    assert frozenset({1}) in kept
    assert {1: "k", "v": 1} in kept
    assert ([1], {"d": (1,)}) in kept


def test_collections_that_can_not_be_made_again_are_refused() -> None:
    pair = namedtuple("pair", "a b")
    deep: list[Any] = []
    deep.append(deep)
    with Flow("f") as flow:
        with pytest.raises(FlowBuildError, match="A pair can't collect tasks"):
            add(pair(one(), 1))
        kept = add(deep, y=pair(1, 2))
        with pytest.raises(FlowBuildError, match="no stable order"):
            add({Task("same"), Task("same")})
        deep.append(one())
        with pytest.raises(FlowBuildError, match="nested too deeply"):
            add(deep)
    assert flow.constants[kept]["x"] is deep


BUILD = """
import json
from appliance.core.flow import Flow
from appliance.core.serialize import serialize
from appliance.core.task import Task
from appliance.core.task_decorator import task
@task
def use(x): pass
with Flow("f") as flow:
    named = [task(lambda: 1, name=name, tags={"t1", "t2", "t3"})() for name in ("b", "c", "a")]
    use({*named, "x", "y", 3, Task("late"), Task("early")})
    use({"k": named[0], named[1]: "v"})
print(json.dumps(serialize(flow)))
"""


def test_slugs_and_document_are_the_same_in_every_process() -> None:
    documents = {
        subprocess.run(
            [sys.executable, "-c", BUILD], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(documents) == 1


def test_a_flow_can_be_pickled_inside_its_own_block_and_goes_on_afterwards() -> None:
    with Flow("f") as flow:
        a = one()
        loaded = cloudpickle.loads(cloudpickle.dumps(flow))
    with loaded:
        add(loaded.tasks[0])
    assert list(loaded.slugs.values()) == ["one-1", "add-1"]
    assert flow.tasks == [a]


def test_long_chains_meet_no_recursion() -> None:
    length = depth.pick(quick=2_000, normal=5_000, full=5_000)
    assert length > sys.getrecursionlimit()
    tasks = [Task("c") for _ in range(length)]
    flow = Flow("long")
    flow.chain(*tasks)
    again = cloudpickle.loads(cloudpickle.dumps(flow.copy()))
    assert serialize(again) == serialize(flow)
    assert len(flow.visualize()) > length
    assert flow.visualize(format="ascii").count("\n") > length
    flow.add_edge(tasks[-1], tasks[0])
    with pytest.raises(CycleError):
        flow.validate()


def test_a_flow_without_tasks_is_done() -> None:
    state = Flow("empty").run()
    assert state is not None
    assert state.is_successful()
    assert "<svg" in Flow("empty").visualize()


def test_options_that_are_set_reach_the_document() -> None:
    busy = task(
        lambda: 1,
        name="busy",
        max_retries=3,
        retry_delay=[1, 2],
        retry_jitter=0.5,
        cache_for=timedelta(hours=1),
        nout=2,
    )
    document = serialize(Flow("f", tasks=[busy, Task("plain")]))
    found, plain = document["tasks"]
    assert (found["retry_delays"], found["retry_jitter"], found["cache_for"], found["nout"]) == (
        [1, 2, 2],
        0.5,
        3600,
        2,
    )
    assert not {"retry_delays", "retry_jitter", "cache_for", "nout", "target"} & set(plain)
