"""Schemas that callers give are evaluated with a bound, and mean what they always meant."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from appliance.server.domain.parameters import problems
from appliance.server.domain.schema_checks import MOST_NODES, TooMuch, errors, is_readable

SECONDS = 5.0
"""Of CPU time: what is without a bound takes minutes, or for ever."""


def doubling(levels: int) -> dict[str, Any]:
    """Each level refers to the next one twice."""
    defs: dict[str, Any] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": defs | {f"d{levels}": {"type": "integer"}}}


EXPENSIVE: dict[str, tuple[dict[str, Any], Any]] = {
    "a pattern that backtracks": ({"pattern": "(a+)+$"}, "a" * 31 + "!"),
    "a long text": ({"pattern": "(a|a)*b"}, "a" * 200_000),
    "a pattern of names": ({"patternProperties": {"(a+)+$": {}}, "additionalProperties": False}, {"a" * 31 + "!": 1}),
    "names by pattern": ({"propertyNames": {"pattern": "(a+)+$"}}, {"a" * 31 + "!": 1}),
    "references that double": (doubling(40), 1),
    "references that double and fail": (doubling(14), "x"),
    "itself": ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, 1),
    "itself, further down": ({"items": {"$ref": "#"}, "anyOf": [{"items": {"$ref": "#"}}] * 20}, [[[[[[[1]]]]]]]),
    "many equal lists": ({"uniqueItems": True}, [{"n": n} for n in range(50_000)]),
    "many errors about much": ({"allOf": [{"maxItems": 0}] * 1_000}, list(range(200_000))),
}


@pytest.mark.parametrize("kind", EXPENSIVE)
def test_no_schema_takes_long(kind: str) -> None:
    schema, value = EXPENSIVE[kind]
    before = process_time()
    is_readable(schema)
    problems([{"name": "n", "required": True, "schema": schema}], {"n": value})
    assert process_time() - before < SECONDS


def test_a_value_that_can_t_be_checked_is_refused() -> None:
    sentences = problems([{"name": "n", "required": True, "schema": doubling(40)}], {"n": 1})
    assert sentences == [
        "Parameter 'n' can't be checked: its schema takes too many steps for this value; simplify its type."
    ]
    with pytest.raises(TooMuch):
        errors({"unevaluatedProperties": False}, {"a": 1})


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "(?=a)"},
        {"properties": {"x": {"pattern": r"(a)\1"}}},
        {"patternProperties": {"(?!a)": {}}},
        {"pattern": "a" * 2_000},
        {"pattern": "["},
        {"pattern": "(((a{1,1000}){1,1000}){1,1000})"},
        {"enum": list(range(MOST_NODES))},
        doubling(40),
    ],
)
def test_registration_refuses_what_has_no_bound(schema: dict[str, Any]) -> None:
    assert not is_readable(schema)


def nested(depth: int) -> dict[str, Any]:
    return {"items": nested(depth - 1)} if depth else {}


def test_a_schema_is_only_so_deep() -> None:
    assert is_readable(nested(40))
    assert not is_readable(nested(60))
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"items": deep}
    assert not is_readable(deep)


VALUES: list[Any] = [
    *(None, True, False, 0, 1, 1.0, 1.5, "", "a", "ab", "abc", [], [1, 1], [1, 1.0], [1, True], [[1], [1]]),
    *([{"a": 1}, {"a": 1.0}], {}, {"a": 1}, {"ab": 1}, {"ab": "x"}, {"a": 1, "b": 2, "c": "x"}, {"a": {"a": {}}}),
]
SCHEMAS: list[dict[str, Any]] = [
    {"pattern": "^a"},
    {"pattern": "b$"},
    {"uniqueItems": True},
    {"uniqueItems": False},
    {"patternProperties": {"^a": {"type": "integer"}}},
    {"patternProperties": {"b$": {"type": "integer"}}, "additionalProperties": False},
    {"properties": {"a": {}}, "additionalProperties": False},
    {"properties": {"a": {}}, "additionalProperties": {"type": "integer"}},
    {"additionalProperties": True},
    {"properties": {"a": {"$ref": "#"}}, "additionalProperties": False},
    {"type": "object", "propertyNames": {"pattern": "^[a-z]$"}},
    {"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"not": {"type": "null"}}},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_it_accepts_what_the_library_accepts(schema: dict[str, Any]) -> None:
    assert is_readable(schema)
    plain = Draft202012Validator(schema)
    assert [not errors(schema, value) for value in VALUES] == [plain.is_valid(value) for value in VALUES]
