"""Every option that takes a function takes an async one and awaits it, or refuses it when it is given; none is called and forgotten."""

from __future__ import annotations

import functools
import gc
import inspect
import typing
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from appliance.core import states
from appliance.core.apply_map import apply_map
from appliance.core.async_functions import is_async
from appliance.core.control import FilterTask
from appliance.core.errors import FlowBuildError, TaskDefinitionError
from appliance.core.flow import Flow
from appliance.core.flow_decorator import FunctionFlow
from appliance.core.resources import resource_manager
from appliance.core.result_serializers import Serializer
from appliance.core.results import Result
from appliance.core.states import State
from appliance.core.task import Task
from appliance.core.task_decorator import task
from appliance.core.triggers import manual_only
from appliance.engine import cache_records
from appliance.engine.results.local import LocalResult
from appliance.testing import LogLines, log_lines
from tests.ids import stable_id

Function = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def what_was_there_before_stays() -> None:
    """Other tests have loaded much by now, through which the collector need not look after each of these."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_coroutine_is_forgotten() -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(one.message) for one in caught if "never awaited" in str(one.message)] == []


@pytest.fixture
def log() -> Iterator[LogLines]:
    with log_lines() as lines:
        yield lines


# --- what is async


async def coroutine_function(*_args: Any, **_options: Any) -> bool:
    return False


async def generator_function(*_args: Any, **_options: Any) -> Any:
    yield False


class WithAsyncCall:
    async def __call__(self, *_args: Any, **_options: Any) -> bool:
        return False


class WithAsyncMethod:
    async def method(self, *_args: Any, **_options: Any) -> bool:
        return False


ASYNC: dict[str, Function] = {
    "async def": coroutine_function,
    "async generator": generator_function,
    "partial": functools.partial(coroutine_function),
    "partial of a partial": functools.partial(functools.partial(coroutine_function, 1), 2),
    "object": WithAsyncCall(),
    "partial of an object": functools.partial(WithAsyncCall()),
    "method": WithAsyncMethod().method,
    "mock": AsyncMock(return_value=False),
}


@functools.wraps(coroutine_function)
def decorated(*args: Any, **options: Any) -> Any:
    return coroutine_function(*args, **options)


class WithPlainCall:
    def __call__(self, *args: Any, **options: Any) -> Any:
        return coroutine_function(*args, **options)


IN_DISGUISE: dict[str, Function] = {
    "lambda": lambda *args, **options: coroutine_function(*args, **options),
    "decorated": decorated,
    "object": WithPlainCall(),
    "generator": lambda *args, **options: generator_function(*args, **options),
}
"""Plain functions that return something to await: nobody can tell before they are called."""


@pytest.mark.parametrize("kind", ASYNC)
def test_async_functions_are_known_for_what_they_are(kind: str) -> None:
    assert is_async(ASYNC[kind])


@pytest.mark.parametrize(
    "value",
    [len, int, WithAsyncCall, WithPlainCall(), functools.partial(len), print, 5, None, *IN_DISGUISE.values()],
    ids=stable_id,
)
def test_everything_else_is_not_async(value: Any) -> None:
    assert not is_async(value)


# --- where functions are given


class Memory(Result):
    address = "memory://"

    def put(self, location: str, content: bytes) -> None: ...
    def get(self, location: str) -> bytes:
        return b""

    def has(self, location: str) -> bool:
        return False


def serializer(serialize: Function, deserialize: Function) -> Any:
    return type(
        "Own", (Serializer,), {"serialize": staticmethod(serialize), "deserialize": staticmethod(deserialize)}
    )()


def backend(**methods: Function) -> Result:
    return type("Backend", (Memory,), {name: staticmethod(method) for name, method in methods.items()})()  # type: ignore[no-any-return]


def dump(value: Any) -> bytes:
    return str(value).encode()


def one() -> int:
    return 1


def made(**options: Any) -> Task:
    return Task(**options)


def mapped_apply(function: Function) -> object:
    with Flow("f"):
        return apply_map(function, [1])


PLACES: dict[str, Callable[[Function], object]] = {
    "Task.trigger": lambda f: made(trigger=f),
    "Task.state_handlers": lambda f: made(state_handlers=[f]),
    "Task.on_failure": lambda f: made(on_failure=f),
    "Task.task_run_name": lambda f: made(task_run_name=f),
    "Task.cache_validator": lambda f: made(cache_for=timedelta(1), cache_validator=f),
    "Task.target": lambda f: made(target=f),
    "Task.copy": lambda f: made().copy(trigger=f),
    "Flow.state_handlers": lambda f: Flow("f", state_handlers=[f]),
    "Flow.on_failure": lambda f: Flow("f", on_failure=f),
    "Flow.terminal_state_handler": lambda f: Flow("f", terminal_state_handler=f),
    "FilterTask.filter_func": lambda f: FilterTask(filter_func=f),
    "FilterTask.log_func": lambda f: FilterTask(log_func=f),
    "Result.location": lambda f: Memory(location=f),
    "Result.put": lambda f: backend(put=f),
    "Result.get": lambda f: backend(get=f),
    "Result.has": lambda f: backend(has=f),
    "Serializer.serialize": lambda f: Memory(serializer=serializer(f, dump)),
    "Serializer.deserialize": lambda f: Memory(serializer=serializer(dump, f)),
    "apply_map": mapped_apply,
}


@pytest.mark.parametrize("kind", ASYNC)
@pytest.mark.parametrize("place", PLACES)
def test_an_async_function_is_refused_where_it_is_given(place: str, kind: str) -> None:
    with pytest.raises(TypeError, match=r"can't be an async function; give a plain one"):
        PLACES[place](ASYNC[kind])


@pytest.mark.parametrize("kind", ASYNC)
def test_manual_only_refuses_an_async_trigger(kind: str) -> None:
    with pytest.raises(TaskDefinitionError, match="plain function"):
        manual_only(ASYNC[kind])


def test_a_flow_made_from_an_async_function_is_refused() -> None:
    with pytest.raises(FlowBuildError, match="plain def"):
        FunctionFlow(coroutine_function)


@pytest.mark.parametrize(("name", "options"), [("Task", Task), ("Flow", Flow), ("FilterTask", FilterTask)])
def test_no_option_that_takes_a_function_is_missing_above(name: str, options: Any) -> None:
    functions = ("Callable", "Handler", "Trigger", "Validator", "Template")
    taken = {
        key
        for key, parameter in inspect.signature(options.__init__).parameters.items()
        if any(word in str(parameter.annotation) for word in functions)
    }
    assert taken and {f"{name}.{key}" for key in taken} <= set(PLACES)


# --- where nobody could tell


def run(flow: Flow) -> State:
    return typing.cast(State, flow.run(progress=False))


@pytest.mark.parametrize("kind", IN_DISGUISE)
def test_a_trigger_that_returns_a_coroutine_does_not_hold(kind: str) -> None:
    ran: list[int] = []
    with Flow("f") as flow:
        guarded = task(lambda x: ran.append(x), name="guarded", trigger=IN_DISGUISE[kind])(task(one)())
    state = run(flow).result[guarded]
    assert type(state) is states.TriggerFailed
    assert "which is not awaited" in state.message and not ran


@pytest.mark.parametrize("kind", IN_DISGUISE)
@pytest.mark.parametrize("place", ["Task.state_handlers", "Flow.state_handlers", "Flow.terminal_state_handler"])
def test_a_handler_that_returns_a_coroutine_fails_what_it_handles(place: str, kind: str) -> None:
    function = IN_DISGUISE[kind]
    options: dict[str, Any] = {
        "Flow.state_handlers": {"state_handlers": [function]},
        "Flow.terminal_state_handler": {"terminal_state_handler": function},
    }.get(place, {})
    with Flow("f", **options) as flow:
        task(one, state_handlers=[function] if place == "Task.state_handlers" else None)()
    assert isinstance(run(flow), states.Failed)


@pytest.mark.parametrize("kind", IN_DISGUISE)
def test_a_filter_that_returns_a_coroutine_fails_its_task(kind: str) -> None:
    with Flow("f") as flow:
        kept = FilterTask(filter_func=IN_DISGUISE[kind])(task(lambda: [1, 2])())
        logged = FilterTask(log_func=IN_DISGUISE[kind])(task(lambda: [1, 2])())
    final = run(flow)
    assert "filter_func returned a" in final.result[kept].message
    assert "log_func returned a" in final.result[logged].message


@pytest.mark.parametrize("kind", IN_DISGUISE)
def test_names_locations_and_targets_that_are_coroutines_are_not_used(kind: str, tmp_path: Path, log: LogLines) -> None:
    function, place = IN_DISGUISE[kind], LocalResult(tmp_path)
    with Flow("f", result=place) as flow:
        named = task(one, name="named", task_run_name=function)()
        aimed = task(one, name="aimed", target=function)()
        placed = task(one, name="placed", result=LocalResult(tmp_path, location=function))()
    final = run(flow)
    assert final.result[named].is_successful()
    assert any("keeps its default name" in message and "not awaited" in message for message in log.messages)
    for failed in (aimed, placed):
        assert isinstance(final.result[failed], states.Failed)
        assert "which is not awaited" in final.result[failed].message


@pytest.mark.parametrize("kind", IN_DISGUISE)
def test_a_cache_validator_that_returns_a_coroutine_finds_nothing(kind: str, log: LogLines) -> None:
    ran: list[int] = []

    def count() -> int:
        ran.append(1)
        return len(ran)

    with Flow("f") as flow:
        task(count, name="count", cache_for=timedelta(hours=1), cache_validator=IN_DISGUISE[kind])()
    try:
        run(flow)
        run(flow)
    finally:
        cache_records.forget()
    assert len(ran) == 2
    assert any("its validator failed" in message and "not awaited" in message for message in log.messages)


@pytest.mark.parametrize("kind", IN_DISGUISE)
def test_a_serializer_that_returns_a_coroutine_fails_its_task(kind: str, tmp_path: Path) -> None:
    place = LocalResult(tmp_path, serializer=serializer(IN_DISGUISE[kind], dump))
    with Flow("f") as flow:
        stored = task(one, result=place)()
    state = run(flow).result[stored]
    assert isinstance(state, states.Failed)
    assert "which is not awaited" in str(state.message)


@pytest.mark.parametrize("kind", IN_DISGUISE)
def test_functions_that_build_a_flow_and_return_a_coroutine_are_refused(kind: str) -> None:
    function = IN_DISGUISE[kind]
    with pytest.raises(TypeError, match="not awaited"):
        FunctionFlow(lambda: function(), name="f")
    with Flow("f"), pytest.raises(TypeError, match="not awaited"):
        apply_map(function, [1])


# --- where async functions are awaited


@pytest.mark.parametrize("kind", [*ASYNC, *IN_DISGUISE])
def test_the_code_of_a_task_is_awaited(kind: str) -> None:
    function = (ASYNC | IN_DISGUISE)[kind]

    class Own(Task):
        def run(self) -> Any:
            return function()

    with Flow("f") as flow:
        result = Own()()
        limited = Own(timeout=30)()
    final = run(flow)
    expected = [False] if "generator" in kind else False
    assert final.result[result].result == final.result[limited].result == expected


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("disguised", [False, True])
@pytest.mark.parametrize("timeout", [None, 30.0])
def test_every_method_of_a_resource_manager_is_awaited(fails: bool, disguised: bool, timeout: float | None) -> None:
    calls: list[str] = []

    class Connection:
        async def _setup(self) -> str:
            calls.append("setup")
            return "connected"

        async def _cleanup(self, resource: str) -> str:
            calls.append(f"cleanup of {resource}")
            return "ignored"

        if disguised:

            def setup(self) -> Any:
                return self._setup()

            def cleanup(self, resource: str) -> Any:
                return self._cleanup(resource)
        else:
            setup, cleanup = _setup, _cleanup

    @task
    async def use(resource: str) -> None:
        calls.append(f"use of {resource}")
        if fails:
            raise ValueError("no")

    options = (
        {}
        if timeout is None
        else {"setup_task_kwargs": {"timeout": timeout}, "cleanup_task_kwargs": {"timeout": timeout}}
    )
    with Flow("f") as flow, resource_manager(**options)(Connection)() as resource:  # type: ignore[call-overload]
        use(resource)
    final = run(flow)
    assert calls == ["setup", "use of connected", "cleanup of connected"]
    assert final.is_failed() is fails
    assert [state.result for made, state in final.result.items() if made.name.endswith("cleanup")] == [None]
