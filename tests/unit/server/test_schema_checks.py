"""Schemas that callers give are evaluated with a bound, and mean what they always meant."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from appliance.kit import effort
from appliance.server.domain import schema_checks
from appliance.server.domain.parameters import problems
from appliance.server.domain.schema_checks import MOST_NODES, TooMuch, budget, first_unreadable

SECONDS = 5.0
"""Of CPU time: what is without a bound takes minutes, or for ever."""


def errors(schema: Any, value: Any) -> list[Any]:
    with budget():
        return schema_checks.errors(schema, value)


def is_readable(schema: Any) -> bool:
    return first_unreadable([("n", schema)]) is None


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
    "another draft further down": (
        {"items": {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": "^(a+)+$"}},
        ["a" * 31 + "!"],
    ),
    "another draft at the top": (
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "pattern": "^(a+)+$",
            "items": {"anyOf": [{"$ref": "#"}]},
        },
        ["a" * 31 + "!"],
    ),
    "a pattern that repeats": ({"pattern": "(a{1,300}b?){1,300}!$"}, "a" * 100_000),
    "a pattern that repeats less": ({"pattern": "(a{1,100}b?){1,100}!$"}, "a" * 200_000),
    "many patterns that repeat": ({"allOf": [{"pattern": f"(\\w{{1,100}}{n}?)!$"} for n in range(1_000)]}, "a" * 5_000),
    "names of anchors": (
        {
            "$defs": {f"d{n}": {"$id": f"http://x/{n}", "$anchor": f"a{n}"} for n in range(1_000)},
            "items": {"$ref": "http://x/999#a999"},
        },
        [1] * 5_000,
    ),
    "a long list of values": ({"items": {"enum": list(range(4_900))}}, [4_899] * 50_000),
    "a long constant": ({"items": {"const": list(range(4_900))}}, [list(range(4_900))] * 20),
    "numbers of one hash": ({"uniqueItems": True}, [n * (2**61 - 1) for n in range(30_000)]),
    "conditions that never hold": (
        {"items": {"dependentRequired": {f"k{n}": ["a"] for n in range(2_000)}}},
        [{} for _ in range(50_000)],
    ),
    "entries that mean nothing": ({"items": {f"x{n}": 1 for n in range(4_900)}}, [1] * 50_000),
    "many errors about much": ({"allOf": [{"maxItems": 0}] * 1_000}, list(range(200_000))),
    "a long list that contains": (
        {"allOf": [{"contains": {"type": "integer"}, "minContains": 9_000}] * 1_000},
        [0] * 9_000,
    ),
    "a list without what nothing is": ({"allOf": [{"contains": False, "minContains": 0}] * 1_000}, [0] * 9_000),
    "conditions of what a list contains": (
        {"contains": {"dependentRequired": {f"k{n}": ["a"] for n in range(2_000)}}, "minContains": 50_000},
        [{} for _ in range(50_000)],
    ),
    "items that may be anything": ({"allOf": [{"items": True}] * 2_000}, [0] * 100_000),
    "properties that may be anything": (
        {"allOf": [{"additionalProperties": True}] * 2_000},
        {f"{n}": 0 for n in range(100_000)},
    ),
    "names that may be anything": ({"allOf": [{"propertyNames": True}] * 2_000}, {f"{n}": 0 for n in range(100_000)}),
}


@pytest.mark.parametrize("kind", EXPENSIVE)
def test_no_schema_takes_long(kind: str) -> None:
    schema, value = EXPENSIVE[kind]
    before = process_time()
    is_readable(schema)
    problems([{"name": "n", "required": True, "schema": schema}], {"n": value})
    assert process_time() - before < SECONDS


@pytest.mark.parametrize("kind", ["oneOf", "anyOf"])
def test_schemas_without_keywords_count(kind: str) -> None:
    schema = {"items": {kind: [False] * 4_000 + [True]}}
    with budget(10_000), pytest.raises(TooMuch):
        schema_checks.errors(schema, [0] * 10)


def test_what_may_be_anything_costs_nothing() -> None:
    anything: list[dict[str, Any]] = [{"items": {}}, {"items": True}, {"contains": True}]
    for schema in anything:
        assert not errors(schema, [0] * 500_000)
    assert not errors({"additionalProperties": True, "propertyNames": {}}, {f"{n}": 0 for n in range(100_000)})


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


def test_many_large_schemas_are_registered_soon() -> None:
    before = process_time()
    assert first_unreadable([(f"n{n}", {"allOf": [True] * (MOST_NODES - 10)}) for n in range(4)]) is None
    assert process_time() - before < 2


@pytest.mark.parametrize(
    "schema",
    [
        *({"type": "wat"}, {"type": ["string", "string"]}, {"type": []}, {"multipleOf": 0}, {"minLength": -1}),
        *({"allOf": []}, {"allOf": [1]}, {"items": [{}]}, {"properties": {"a": 1}}, {"required": ["a", "a"]}),
        *({"$ref": 1}, {"$defs": {"a": {"if": 1}}}, {"dependencies": {"a": 1}}, {"title": 1}, {"maximum": "1"}),
        *({"not": {"not": {"not": {"uniqueItems": 1}}}}, {"dependentRequired": {"a": [1]}}, {"readOnly": 1}),
        *({"$schema": 1}, {"$id": 1}, {"$anchor": "?"}, {"format": 1}, {"contentSchema": 1}, {"prefixItems": {}}),
    ],
    ids=str,
)
def test_what_the_library_does_not_call_a_schema_is_none(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        Draft202012Validator.check_schema(schema)
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
    *(
        {"items": True},
        {"items": {}},
        {"items": False},
        {"propertyNames": True},
        {"propertyNames": False},
        {"not": True},
    ),
    *({"additionalProperties": {}}, {"contains": True}, {"contains": False}, {"contains": False, "minContains": 0}),
    *({"contains": {"type": "integer"}, "minContains": 2}, {"contains": {"type": "integer"}, "maxContains": 1}),
    *({"oneOf": [True, False]}, {"oneOf": [True, {"type": "string"}]}, {"anyOf": [False, {"type": "string"}]}),
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_it_accepts_what_the_library_accepts(schema: dict[str, Any]) -> None:
    assert is_readable(schema)
    plain = Draft202012Validator(schema)
    assert [not errors(schema, value) for value in VALUES] == [plain.is_valid(value) for value in VALUES]


def test_a_long_list_of_plain_values_is_checked() -> None:
    schema = {"type": "array", "items": {"type": "integer", "title": "Number"}}
    assert not errors(schema, list(range(200_000)))
    assert [error.path[0] for error in errors(schema, [1, "x", 2])] == [1]
    assert not errors({"items": {"type": ["integer", "null"]}, "prefixItems": [{}]}, ["x", 1, None])


def test_references_are_to_parts_of_the_schema_itself() -> None:
    schema = {"$defs": {"a/b": {"type": "integer"}, "list": [{"type": "string"}]}, "items": {"$ref": "#/$defs/a~1b"}}
    assert not errors(schema, [1]) and errors(schema, ["x"])
    assert errors({"$defs": {"list": [{}, {"type": "string"}]}, "$ref": "#/$defs/list/1"}, 1)
    for reference in ("https://json-schema.org/draft/2020-12/schema", "#anchor", "other", "#/$defs/absent"):
        assert not is_readable({"$ref": reference, "$defs": {}})


def test_all_parameters_together_have_a_bound() -> None:
    declared = [{"name": f"n{number}", "required": True, "schema": doubling(11)} for number in range(200)]
    before = process_time()
    sentences = problems(declared, {f"n{number}": "x" for number in range(200)})
    assert first_unreadable((item["name"], item["schema"]) for item in declared) is not None
    assert process_time() - before < SECONDS
    assert "can't be checked" in sentences[-1]


def test_many_unknown_names_are_answered_soon() -> None:
    declared = [{"name": f"parameter_number_{number}"} for number in range(20_000)]
    before = process_time()
    sentences = problems(declared, {f"parameter_numbr_{number}": 1 for number in range(1_000)})
    assert problems([], {f"{number}": 1 for number in range(1_001)}) == [
        "There are 1,001 values, and a flow has at most 1,000 parameters."
    ]
    assert sentences and problems([{"name": "n" * 100_000}], {"n" * 99_999: 1})
    assert process_time() - before < SECONDS


def test_where_others_wait_only_little_is_checked() -> None:
    declared, values = [{"name": "n", "required": True, "schema": doubling(11)}], {"n": "x"}
    with effort.limited(1_000), pytest.raises(effort.TooLong) as caught:
        problems(declared, values)
    assert caught.value.work is not None
    caught.value.work()
    with effort.limited(1_000):
        assert problems(declared, values) == problems(declared, values) != []
        assert problems([{"name": "n", "schema": {"type": "integer"}}], {"n": 1}) == []
        assert (effort.left() or 0) > 900
