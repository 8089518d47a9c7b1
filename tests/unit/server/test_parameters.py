"""Parameters: falsy defaults count, and each problem is one sentence that names the parameter."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.server.domain.parameters import merge, missing, problems


def parameter(name: str, schema: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"name": name, "required": "default" not in fields, "schema": schema or {}} | fields


N = parameter("n", {"type": "integer"}, default=1)


@pytest.mark.parametrize("default", [0, False, "", [], {}, None])
def test_falsy_defaults_count(default: Any) -> None:
    assert merge([parameter("p", default=default)]) == {"p": default}


def test_later_layers_win() -> None:
    declared = [parameter("a", default=1), parameter("b", default=1), parameter("c", default=1), parameter("d")]
    assert merge(declared, {"b": 0, "c": 2}, {"c": None}) == {"a": 1, "b": 0, "c": None}


@pytest.mark.parametrize(
    ("schema", "value", "sentence"),
    [
        ({"type": "integer"}, "abc", "Parameter 'n' must be an integer, not 'abc'."),
        ({"type": "integer"}, True, "Parameter 'n' must be an integer, not true."),
        ({"type": "integer"}, 1.5, "Parameter 'n' must be an integer, not 1.5."),
        ({"type": "string"}, 5, "Parameter 'n' must be text, not 5."),
        ({"type": ["number", "null"]}, [], "Parameter 'n' must be a number or null, not []."),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "x", "Parameter 'n' must be an integer or null, not 'x'."),
        ({"enum": ["a", "b"]}, "c", "Parameter 'n' must be one of 'a', 'b', not 'c'."),
        ({"type": "array", "items": {"type": "integer"}}, [1, "x"], "Parameter 'n'[1] must be an integer, not 'x'."),
        ({"type": "integer", "minimum": 3}, 2, "Parameter 'n' does not fit: 2 is less than the minimum of 3."),
    ],
)
def test_wrong_values(schema: dict[str, Any], value: Any, sentence: str) -> None:
    assert problems([parameter("n", schema)], {"n": value}) == [sentence]


def test_unknown_and_missing() -> None:
    declared = [parameter("day"), N]
    assert problems(declared, {"dai": 1, "n": 1}) == [
        "The flow has no parameter 'dai'; did you mean 'day'?",
        "Parameter 'day' is required; give it a value.",
    ]
    assert problems([], {"x": 1}) == ["The flow has no parameter 'x'; it has none."]
    assert missing(declared, {}, {"n": 1}) == ["day"] and missing(declared, {"day": None}) == []


def test_a_default_of_none_passes_its_own_schema() -> None:
    assert problems([parameter("n", {"type": "integer"}, default=None)], {"n": None}) == []
    assert problems([N], {"n": None}) == ["Parameter 'n' must be an integer, not null."]


def test_long_values_are_cut_and_odd_schemas_do_no_harm() -> None:
    [sentence] = problems([N], {"n": "x" * 500})
    assert len(sentence) < 120
    for schema in (
        {"type": "no-such-type"},
        {"$ref": "http://127.0.0.1:9/x"},
        {"pattern": "("},
        {"minimum": "x"},
        {"items": 5},
    ):
        assert problems([parameter("n", schema)], {"n": 1}) + problems([parameter("n", schema)], {"n": ["y"]}) == []
