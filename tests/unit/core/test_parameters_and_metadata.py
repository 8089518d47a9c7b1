"""Parameters, their types and schemas, and the JSON document that is registered."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, timedelta
from typing import Any, Literal

import pytest

from appliance.core import parameter_types
from appliance.core.context import context
from appliance.core.errors import MissingParameterError, ParameterTypeError, UnknownParameterError
from appliance.core.flow import Flow
from appliance.core.parameter import Parameter
from appliance.core.run_config import LocalRun
from appliance.core.serialize import serialize
from appliance.core.task_decorator import task
from appliance.core.triggers import some_failed
from appliance.schedules.schedule import CronSchedule


@task
def use(n: int, when: date | None = None, mode: Literal["a", "b"] = "a", anything: Any = None) -> None:
    """Has a hint of every sort."""


@task
def each(n: int) -> None:
    """To be mapped."""


def make() -> Flow:
    with Flow(
        "typed", schedule=CronSchedule("0 6 * * *"), run_config=LocalRun(env={"B": "2", "A": "1"}, labels=["x"])
    ) as flow:
        use(
            Parameter("n"),
            Parameter("when", default=None),
            Parameter("mode", default="a"),
            Parameter("anything", default=1.5),
        )
        each.map(Parameter("many", default=[1]), task_args={"trigger": some_failed(at_least=1), "tags": {"t", "s"}})
        Parameter("unused", default=3)
        Parameter("explicit", type=list[str], default=[])
    return flow


def test_schemas_come_from_hints_then_defaults() -> None:
    schemas = {p["name"]: p["schema"] for p in serialize(make())["parameters"]}
    assert schemas["n"] == {"type": "integer"}
    assert schemas["when"] == {"anyOf": [{"format": "date", "type": "string"}, {"type": "null"}]}
    assert schemas["mode"] == {"enum": ["a", "b"], "type": "string"}
    assert schemas["anything"] == {"type": "number"}
    assert schemas["many"] == {"type": "array", "items": {"type": "integer"}}
    assert schemas["unused"] == {"type": "integer"}
    assert schemas["explicit"] == {"type": "array", "items": {"type": "string"}}


def test_values_are_checked_and_converted() -> None:
    values = parameter_types.resolve(make(), {"n": 3, "when": "2026-01-31", "many": [1, 2]})
    assert values == {
        "n": 3,
        "when": date(2026, 1, 31),
        "mode": "a",
        "anything": 1.5,
        "many": [1, 2],
        "unused": 3,
        "explicit": [],
    }


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({}, MissingParameterError, "needs a value for parameter 'n'"),
        ({"n": 1, "x": 2}, UnknownParameterError, "no parameter 'x'; its parameters are 'n'"),
        ({"n": "three"}, ParameterTypeError, "^Parameter 'n': must be a valid integer, got 'three'.$"),
        ({"n": "3"}, ParameterTypeError, "got '3'"),
        ({"n": True}, ParameterTypeError, "got True"),
        ({"n": 1, "mode": "c"}, ParameterTypeError, "'a' or 'b'"),
        ({"n": 1, "many": ["x"]}, ParameterTypeError, r"'many\[0\]'"),
        ({"n": 1, "when": "yesterday"}, ParameterTypeError, "date"),
    ],
)
def test_values_that_do_not_fit_are_refused_in_one_sentence(
    given: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        parameter_types.resolve(make(), given)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_the_document_is_complete_and_always_the_same() -> None:
    first, second = serialize(make()), serialize(make())
    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    by_slug = {t["slug"]: t for t in first["tasks"]}
    mapped = by_slug["each-s-t-1"]
    assert mapped["mapped"] is True
    assert mapped["tags"] == ["s", "t"]
    assert mapped["trigger"] == "some_failed(at_least=1, at_most=None)"
    assert by_slug["n"]["type"] == "Parameter"
    assert {"upstream": "many", "downstream": "each-s-t-1", "key": "n", "mapped": True, "flattened": False} in first[
        "edges"
    ]
    assert first["run_config"] == {"type": "local", "env": {"A": "1", "B": "2"}, "labels": ["x"], "working_dir": None}
    assert first["schedules"][0]["cron"] == "0 6 * * *"
    assert first["schedules"][0]["parameters"] == {}
    assert set(first["reference_tasks"]) == {"use-1", "each-s-t-1", "unused", "explicit"}


def test_options_reach_the_document() -> None:
    slow = task(
        lambda: None, name="slow", max_retries=2, retry_delay=timedelta(seconds=1.5), timeout=timedelta(minutes=1)
    )
    with Flow("f") as flow:
        slow(task_args={"skip_on_upstream_skip": False})
    document = serialize(flow)["tasks"][0]
    assert (document["max_retries"], document["retry_delay"], document["timeout"]) == (2, 1.5, 60.0)
    assert document["skip_on_upstream_skip"] is False


def test_a_default_without_json_form_is_refused() -> None:
    with Flow("f") as flow:
        Parameter("p", default=object())
    with pytest.raises(ParameterTypeError, match="can't be written as JSON"):
        serialize(flow)


def test_the_context_is_read_only_and_empty_outside_of_runs() -> None:
    assert context.get("parameters") is None
    assert "map_index" not in context
    with pytest.raises(AttributeError, match="only inside a running flow"):
        _ = context.map_index
    with pytest.raises(AttributeError, match="read-only"):
        context.map_index = 3


def test_the_front_door_is_light() -> None:
    heavy = (
        "pydantic",
        "msgspec",
        "httpx",
        "httpx2",
        "sqlalchemy",
        "litestar",
        "asyncio",
        "click",
        "appliance.engine",
        "appliance.server",
    )
    code = f"import appliance, sys; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
