"""An option that is accepted is used: names that don't exist, values without effect and calls left out are refused or warned about."""

from __future__ import annotations

import functools
import math
import operator
import pickle
import sys
import types
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance import (
    Calendar,
    DateTimeParameter,
    FilterTask,
    Flow,
    IntervalClock,
    LocalRun,
    MemoryResult,
    Parameter,
    Task,
    ThreadExecutor,
    all_failed,
    all_inputs,
    apply_map,
    case,
    exponential_backoff,
    ifelse,
    partial_inputs_only,
    partial_parameters_only,
    resource_manager,
    some_failed,
    some_successful,
    states,
    switch,
    tags,
    task,
    unmapped,
)
from appliance import flow as flow_decorator
from appliance.core.errors import TaskDefinitionError
from appliance.core.task_options import FORMS
from appliance.kit import option_names
from tests.ids import stable_id

HOUR = timedelta(hours=1)


@task
def one() -> int:
    return 1


@task
def double(x: Any) -> Any:
    return x * 2


def result_of(build: Callable[[], Task]) -> Any:
    """The result of the task that `build` adds to a flow."""
    with Flow("f") as flow:
        last = build()
    state = flow.run(progress=False)
    assert state is not None
    assert state.is_successful(), state.result[last]
    return state.result[last].result


# --- names

WHERE_TASK_OPTIONS_ARE_GIVEN: dict[str, Callable[..., Any]] = {
    "task(fn)": lambda **options: task(lambda: None, **options),
    "@task": lambda **options: task(**options),
    "Task": lambda **options: Task(**options),
    "FilterTask": lambda **options: FilterTask(**options),
    "task_args": lambda **options: Task("t")(task_args=options, flow=Flow("f")),
    "task_args of map": lambda **options: double.map([1], task_args=options, flow=Flow("f")),
}


@pytest.mark.parametrize("make", WHERE_TASK_OPTIONS_ARE_GIVEN.values(), ids=WHERE_TASK_OPTIONS_ARE_GIVEN)
@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("retries", "max_retries"),
        ("max_retry", "max_retries"),
        ("delay", "retry_delay"),
        ("retry_delay_seconds", "retry_delay"),
        ("timeout_seconds", "timeout"),
        ("cache", "cache_for"),
        ("cache_key_fn", "cache_key"),
        ("log_prints", "log_stdout"),
        ("tag", "tags"),
        ("state_handler", "state_handlers"),
        ("on_fail", "on_failure"),
        ("skip_on_upstream_skipped", "skip_on_upstream_skip"),
    ],
)
def test_an_option_that_does_not_exist_is_named_with_the_one_meant(
    make: Callable[..., Any], given: str, meant: str
) -> None:
    with pytest.raises(TypeError, match=f"no option '{given}'; did you mean {meant}="):
        make(**{given: 1})


def test_what_is_meant_exists() -> None:
    known = {*Task("t").__dict__, *Flow("f").__dict__, *dir(Task), "on_failure"}
    assert set(option_names._MEANT.values()) <= known | {"project", "parameters", "max_workers"}


@pytest.mark.parametrize("make", [lambda **options: Flow("f", **options), flow_decorator], ids=["Flow", "@flow"])
@pytest.mark.parametrize(
    ("given", "meant"), [("cron", "schedule"), ("excutor", "executor"), ("environment", "run_config")]
)
def test_options_of_flows_are_named_too(make: Callable[..., Any], given: str, meant: str) -> None:
    with pytest.raises(TypeError, match=f"no option '{given}'; did you mean {meant}="):
        make(**{given: 1})
    with pytest.raises(TypeError, match=r"no option 'colour'; its options are .*executor"):
        make(colour=1)


def test_options_of_parameters_are_named_too() -> None:
    arguments: dict[str, Any] = {"defualt": 1}
    with pytest.raises(TypeError, match="no option 'defualt'; did you mean default="):
        Parameter("x", **arguments)


# --- values


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": 3}, "name of a task"),
        ({"slug": 3}, "slug must be"),
        ({"slug": ""}, "slug must be"),
        *(({name: "no"}, f"{name} must be") for name in ("skip_on_upstream_skip", "checkpoint", "log_stdout")),
        ({"state_handlers": 3}, "state_handlers must be"),
        ({"state_handlers": [lambda task: None]}, "state_handlers must be"),
        ({"on_failure": lambda: None}, "on_failure must be"),
        ({"cache_for": HOUR, "cache_validator": partial_inputs_only}, r"write partial_inputs_only\(\['x'\]\)"),
        ({"cache_for": HOUR, "cache_validator": partial_parameters_only}, r"write partial_parameters_only\("),
        ({"cache_for": HOUR, "cache_validator": lambda: True}, "cache_validator must be"),
        ({"cache_for": HOUR, "cache_validator": partial_inputs_only(["y"])}, "compares 'y', which run"),
        ({"max_retries": 1, "retry_delay": exponential_backoff}, "retry_delay must be"),
        ({"trigger": some_failed}, r"write some_failed\(at_least=1\)"),
        ({"trigger": some_successful}, r"write some_successful\(at_least=1\)"),
    ],
    ids=stable_id,
)
def test_a_value_without_effect_is_refused_in_the_constructor_and_in_task_args(
    options: dict[str, Any], says: str
) -> None:
    for make in (WHERE_TASK_OPTIONS_ARE_GIVEN["task(fn)"], WHERE_TASK_OPTIONS_ARE_GIVEN["task_args of map"]):
        with pytest.raises((TypeError, TaskDefinitionError), match=says):
            make(**options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"cache_key": "k"}, "cache_key but is not cached"),
        ({"cache_validator": all_inputs}, "cache_validator but is not cached"),
        ({"checkpoint": False, "target": "t"}, "has target=... but its result is not stored"),
        ({"checkpoint": False, "cache_for": HOUR}, "has cache_for=... but its result is not stored"),
    ],
    ids=stable_id,
)
def test_options_without_effect_beside_others_warn(options: dict[str, Any], says: str) -> None:
    with pytest.warns(UserWarning, match=says):
        Task("t", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"schedule": "0 6 * * *"},
        {"executor": "threads"},
        {"executor": Task},
        {"run_config": {"env": {}}},
        {"storage": "flows.py"},
        {"result": "file:///results"},
        {"terminal_state_handler": lambda state: state},
        {"strict_tracking": "yes"},
        {"state_handlers": print},
    ],
    ids=stable_id,
)
def test_an_option_of_a_flow_is_checked_when_it_is_given_and_when_it_is_set(options: dict[str, Any]) -> None:
    ((name, value),) = options.items()
    with pytest.raises(TypeError, match=f"{name} must be"):
        Flow("f", **options)
    flow = Flow("f")
    with pytest.raises(TypeError, match=f"{name} must be"):
        setattr(flow, name, value)


@pytest.mark.parametrize(
    ("name", "option"), [("excutor", "executor"), ("environment", "run_config"), ("schedules", "schedule")]
)
def test_an_attribute_that_looks_like_an_option_warns(name: str, option: str) -> None:
    flow = Flow("f")
    with pytest.warns(UserWarning, match=rf"no option '{name}'; did you mean flow\.{option} = "):
        setattr(flow, name, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow.description = "mine"  # type: ignore[attr-defined]
        flow.executor = None


def handler(_task: Task, _old: states.State, _new: states.State) -> None:
    pass


async def awaited(*_args: Any) -> bool:
    return True


SET_LATER: dict[str, tuple[Any, Any]] = {
    "timeout": (timedelta(seconds=5), "5"),
    "retry_delay": (5, "5"),
    "retry_on": ([ValueError], "ValueError"),
    "retry_jitter": (1, 2),
    "max_retries": (2, "2"),
    "tags": (["a"], "a"),
    "trigger": (all_failed, awaited),
    "state_handlers": ([handler], handler),
    "skip_on_upstream_skip": (None, "no"),
    "checkpoint": (False, "no"),
    "log_stdout": (True, "yes"),
    "never_repeat": (True, "yes"),
    "nout": (2, "2"),
    "name": ("n", 5),
    "slug": ("s", 5),
    "task_run_name": ("{x}", awaited),
    "target": ("x.txt", 5),
    "result": (MemoryResult(), MemoryResult),
    "cache_for": (timedelta(1), 5),
    "cache_validator": (all_inputs, "all_inputs"),
    "cache_key": ("k", 5),
    "secrets": (["A"], "A"),
}


@pytest.mark.filterwarnings("ignore:Task 't' has a cache")
@pytest.mark.parametrize("name", SET_LATER)
def test_an_option_that_a_task_gets_later_is_taken_like_one_in_the_constructor(name: str) -> None:
    good, bad = SET_LATER[name]
    made = Task("t")
    setattr(made, name, good)
    given = Task("t").copy(**{"max_retries": 1, "retry_delay": 0, name: good})
    assert getattr(made, name) == getattr(given, name)
    with pytest.raises((TypeError, ValueError)) as refused:
        setattr(made, name, bad)
    assert name in str(refused.value)
    assert getattr(made, name) == getattr(given, name)


def test_every_option_of_a_task_can_be_set_later() -> None:
    assert {*SET_LATER, "on_failure"} == set(FORMS)
    with Flow("f") as flow:
        failing = task(lambda: 1 / 0, name="failing", state_handlers=[handler])()
    failed: list[str] = []
    failing.on_failure = lambda _task, state: failed.append(state.message)  # type: ignore[attr-defined]
    failing.retry_delay, failing.max_retries, failing.timeout = 0, 1, timedelta(seconds=9)  # type: ignore[assignment]
    flow.run(progress=False)
    assert failed == ["ZeroDivisionError: division by zero"] * 2


def test_tags_and_on_failure_in_task_args_are_added() -> None:
    made = Task("t", tags=["a"], on_failure=lambda task, state: None)
    new = made.copy(tags=["b"], on_failure=lambda task, state: None)
    assert (new.tags, len(new.state_handlers)) == ({"a", "b"}, 2)
    assert (made.tags, len(made.state_handlers)) == ({"a"}, 1)


def test_a_resource_manager_made_in_one_call_uses_its_options() -> None:
    class Place:
        def setup(self) -> int:
            return 1

        def cleanup(self, resource: int) -> None: ...

    options: dict[str, Any] = {"name": "place", "setup_task_kwargs": {"name": "opened"}}
    with Flow("f") as flow, resource_manager(Place, **options)() as resource:
        double(resource)
    assert {"place", "opened", "place.cleanup"} <= {each.name for each in flow.tasks}


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (lambda flow, at: flow.get_tasks(tags="big"), r"tags must be a list of strings; write \['big'\]"),
        (lambda flow, at: flow.set_reference_tasks(flow.tasks[0]), "reference tasks must be a list"),
        (lambda flow, at: flow.set_dependencies(flow.tasks[0], upstream_tasks=one), "upstream_tasks must be a list"),
        (lambda flow, at: flow.set_dependencies(flow.tasks[0], upstream_tasks="ab"), "upstream_tasks must be a list"),
        (
            lambda flow, at: flow.set_dependencies(flow.tasks[0], downstream_tasks=one),
            "downstream_tasks must be a list",
        ),
        (lambda flow, at: flow.update(flow.tasks[0]), "must be a flow"),
        (lambda flow, at: Flow("f", tasks=one), "tasks must be a list"),
        (lambda flow, at: Flow("f", edges=[("a", "b")]), "edges must be a list of Edge"),
        (lambda flow, at: tags("big", 3).__enter__(), "tags must be a list of strings"),
        (lambda flow, at: tags(["big"]).__enter__(), "tags must be a list of strings"),
        (
            lambda flow, at: flow.visualize(filename=at / "flow.png"),
            "can't be drawn as 'png'; name the file .svg or .txt",
        ),
        (
            lambda flow, at: flow.register(project_name="p"),
            r"flow.register\(\) has no option 'project_name'; did you mean project=",
        ),
        (lambda flow, at: flow.register("p", set_schedule_active=True), "did you mean set_schedules_active="),
        (
            lambda flow, at: flow.register("p", idempotency_key="k"),
            "no option 'idempotency_key'; its options are as_new, labels",
        ),
        (lambda flow, at: flow.register(), r"needs a project: flow.register\('sales'\)"),
        (lambda flow, at: Parameter("x", default=1)(task_args={"name": "y"}, flow=flow), "takes no task_args"),
        (lambda flow, at: Parameter("x", type=3), "type must be a type"),
        (lambda flow, at: DateTimeParameter("x", **{"type": int}), "no option 'type'"),
        (lambda flow, at: LocalRun(env={"APPLIANCE_URL": "x"}), "env can't set APPLIANCE_URL"),
        (lambda flow, at: IntervalClock(HOUR, labels="big"), r"labels must be a list of strings; write \['big'\]"),
        (
            lambda flow, at: IntervalClock(HOUR, **{"parameter_defaults": {}}),
            "no option 'parameter_defaults'; did you mean parameters=",
        ),
        (
            lambda flow, at: ThreadExecutor(**{"num_workers": 4}),
            "ThreadExecutor has no option 'num_workers'; did you mean max_workers=",
        ),
        (lambda flow, at: Calendar(holidays="12-25"), r"holidays must be a list; write \['12-25'\]"),
    ],
    ids=map(str, range(99)),
)
def test_an_argument_without_effect_is_refused(use: Callable[[Flow, Path], Any], says: str, tmp_path: Path) -> None:
    flow = Flow("f", tasks=[Task("a", tags=["big"])])
    with pytest.raises((TypeError, ValueError), match=says):
        use(flow, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_required_parameter_with_a_default_warns() -> None:
    with pytest.warns(UserWarning, match="its default is never used"):
        Parameter("x", default=1, required=True)


@pytest.mark.parametrize("build", [lambda: double.map(unmapped(3)), lambda: task(lambda x=1: x).map()])
def test_a_map_over_nothing_warns(build: Callable[[], Any]) -> None:
    with Flow("f"), pytest.warns(UserWarning, match="is mapped over nothing, so it runs once"):
        build()


# --- what a task can be made of


class Scale:
    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, x: int) -> int:
        return self.by * x

    def times(self, x: int) -> int:
        return self.by * x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scale) and self.by == other.by

    __hash__ = None  # type: ignore[assignment]


@functools.singledispatch
def size(x: Any, unit: int = 1) -> int:
    return len(x) * unit


@size.register
def _(x: int, unit: int = 10) -> int:
    return x * unit


CALLABLES: list[tuple[Any, list[Any], list[Any]]] = [
    (len, ["ab", ""], [2, 0]),
    (max, [[1, 2], [3]], [2, 3]),
    (sum, [[1, 2], [3]], [3, 3]),
    (sorted, [[2, 1]], [[1, 2]]),
    (int, ["3", "4"], [3, 4]),
    (str, [3], ["3"]),
    (print, ["x"], [None]),
    (math.sqrt, [4, 9], [2, 3]),
    (str.upper, ["a"], ["A"]),
    (",".join, [["a", "b"]], ["a,b"]),
    (operator.itemgetter(0), [[7]], [7]),
    (functools.partial(int, base=2), ["11"], [3]),
    (functools.partial(pow, 2), [3], [8]),
    (Scale, [2], [Scale(2)]),
    (Scale(3), [2], [6]),
    (Scale(3).times, [2], [6]),
    (lambda x: x, [5], [5]),
    (size, ["ab", 3], [2, 30]),
]


@pytest.mark.parametrize(("made_of", "elements", "results"), CALLABLES, ids=lambda value: stable_id(value)[:40])
def test_a_task_can_be_made_of_anything_callable_and_mapped(made_of: Any, elements: Any, results: Any) -> None:
    assert result_of(lambda: task(made_of)(elements[0])) == results[0]
    assert result_of(lambda: task(made_of).map(elements)) == results
    if not isinstance(made_of, types.FunctionType):
        assert pickle.loads(pickle.dumps(task(made_of).run))(elements[0]) == results[0]


def test_builtins_take_several_arguments_and_named_ones() -> None:
    assert result_of(lambda: task(max)(1, one(), 3)) == 3
    assert result_of(lambda: task(max).map([1, 5], [4, 2])) == [4, 5]
    assert result_of(lambda: task(sorted)([1, 2], reverse=True)) == [2, 1]
    assert result_of(lambda: task(int.from_bytes)(b"\xff", signed=True)) == -1
    with Flow("f"), pytest.raises(ValueError, match="missing a required argument: 'number'"):
        task(round)(ndigits=1)


def test_an_argument_left_out_before_others_that_go_by_position_fails_with_a_sentence() -> None:
    with Flow("f") as flow:
        gap = task(max)(arg_2=3)
    state = flow.run(progress=False)
    assert state is not None
    assert "'arg_1' needs a value" in str(state.result[gap].message)


@pytest.mark.parametrize(("keeps", "kept"), [(bool, [1, "a"]), (None, [0, 1, "", "a"]), (Scale(2), [1, "a"])])
def test_a_filter_takes_any_function(keeps: Any, kept: list[Any]) -> None:
    assert result_of(lambda: FilterTask(keeps)([0, 1, "", "a"])) == kept


# --- results that are not there yet


@task(nout=2)
def pair(x: int) -> Any:
    return x, x * 10


def test_a_mapped_task_unpacks_per_element() -> None:
    def difference() -> Task:
        first, second = pair.map([1, 2, 3])
        return task(operator.sub).map(second, first)

    assert result_of(difference) == [9, 18, 27]
    assert result_of(lambda: pair.map([1, 2])[0]) == (1, 10)


def test_a_mapped_task_unpacks_per_element_inside_apply_map() -> None:
    def swap(x: Any) -> Any:
        first, second = pair(x)
        return first + second

    assert result_of(lambda: apply_map(swap, [1, 2])) == [11, 22]


@pytest.mark.parametrize("returned", [5, {"a": 1, "b": 2}, {1, 2}, (1,)], ids=str)
def test_unpacking_what_is_no_pair_fails(returned: Any) -> None:
    with Flow("f") as flow:
        _first, second = task(lambda: returned, nout=2)()
    state = flow.run(progress=False)
    assert state is not None
    assert state.result[second].is_failed()


@pytest.mark.parametrize(
    "text",
    [
        lambda t: f"{t}",
        str,
        "{}".format,
        lambda t: "%s" % t,  # noqa: UP031
        lambda t: f"{t!s}",
    ],
)
def test_a_task_in_a_text_warns_while_the_flow_is_built(text: Callable[[Any], str]) -> None:
    with Flow("f"):
        made = one()
        with pytest.warns(UserWarning, match="'one' has no result while the flow is being built, so the text"):
            assert text(made) == "<FunctionTask one>"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert repr(made) == f"{made!r}" == "<FunctionTask one>"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text(made)


def test_comparing_a_task_with_a_value_warns_while_the_flow_is_built() -> None:
    with Flow("f"):
        made, other = one(), one()
        with pytest.warns(UserWarning, match="equals nothing; use task.is_equal"):
            assert not made == 1  # noqa: SIM201
        with pytest.warns(UserWarning, match="equals nothing"):
            assert made != 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert made == made
            assert made != other
            assert made in [other, made]
    assert made != 1


# --- tasks that are never called


class Named(Task):
    def run(self) -> str:
        return self.name


def _use_resource() -> None:
    with resource_manager(Connection)():
        one()


OUTSIDE = Named("outside")


class Connection:
    def cleanup(self, resource: Any) -> None: ...


UNUSED: dict[str, Callable[[], Any]] = {
    "made from a function": lambda: task(lambda: 1, name="lost"),
    "made from a class": lambda: Named("lost"),
    "a join": lambda: Task("lost"),
    "a copy": lambda: OUTSIDE.copy(name="lost"),
    "inside a case": lambda: _inside_a_case(),
    "inside apply_map": lambda: apply_map(_lose, [1]),
}


def _lose(x: Any) -> Any:
    Named("lost")
    return double(x)


def _inside_a_case() -> None:
    with case(one(), 1):
        Named("lost")
        double(1)


@pytest.mark.parametrize("build", UNUSED.values(), ids=UNUSED)
@pytest.mark.parametrize("use", [Flow.validate, lambda flow: flow.run(progress=False)], ids=["validate", "run"])
def test_a_task_made_in_a_flow_and_never_called_is_named_once(
    build: Callable[[], Any], use: Callable[[Flow], Any]
) -> None:
    with Flow("f") as flow:
        build()
    with pytest.warns(UserWarning, match="Task 'lost' was made in flow 'f' but never called there") as warned:
        use(flow)
    assert [warning.filename for warning in warned] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        use(flow)


def test_a_resource_made_in_a_flow_and_never_entered_is_named_once() -> None:
    with Flow("f") as flow:
        resource_manager(name="lost")(Connection)()
    with pytest.warns(UserWarning, match="Resource 'lost' was made in flow 'f' but never entered there") as warned:
        flow.validate()
    assert [warning.filename for warning in warned] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow.validate()


def test_a_call_for_another_flow_is_a_use() -> None:
    other = Flow("other")
    with Flow("f") as flow:
        OUTSIDE(flow=other)
        OUTSIDE.copy()(flow=other)
        with resource_manager(Connection)(flow=other):
            one(flow=other)
        one()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow.validate()
        other.validate()


USED: dict[str, Callable[[], Any]] = {
    "called": lambda: Named("a")(),
    "a copy": lambda: OUTSIDE.copy()(),
    "a copy that is bound": lambda: OUTSIDE.copy().bind(),
    "called with options": lambda: OUTSIDE(task_args={"name": "b"}),
    "a resource": lambda: _use_resource(),
    "called later": lambda: [made() for made in [Named("a")]],
    "bound": lambda: Named("a").bind(),
    "mapped": lambda: task(lambda x: x).map([1]),
    "only a dependency": lambda: one().set_upstream(Named("a")),
    "in ifelse": lambda: ifelse(one(), Named("a"), Named("b")),
    "in switch": lambda: switch(one(), {1: Named("a")}),
    "an expression": lambda: (one() + 1)["x"],
    "a parameter": lambda: Parameter("n", default=1),
    "constants and collections": lambda: double([one(), 1]),
    "given to a task": lambda: double(Named("a")),
    "piped": lambda: one().pipe(task(lambda x: x)),
}


@pytest.mark.parametrize("build", USED.values(), ids=USED)
def test_tasks_that_are_used_in_any_way_do_not_warn(build: Callable[[], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Flow("f") as flow:
            build()
        flow.validate()


def test_a_task_of_a_module_that_the_block_imports_does_not_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("tasks_of_others")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Flow("f") as flow:
            module.__dict__["other"] = task(lambda: 1)
            one()
        flow.validate()


def test_a_replaced_task_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Flow("f") as flow:
            old = Named("a").bind()
            double(old)
            flow.replace(old, Named("b"))
        flow.validate()
