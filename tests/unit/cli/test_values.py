"""`-p key=json`: what is JSON is kept exactly, what looks like JSON and isn't is refused, and all else is text."""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.cli.values import Assignment


def parsed(text: str) -> Any:
    key, value = Assignment().convert(f"x={text}", None, None)
    assert key == "x"
    return value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20", 20),
        ("9007199254740993", 2**53 + 1),
        ("-123456789012345678901234567890", -123456789012345678901234567890),
        ("1.0", 1.0),
        ("0.1", 0.1),
        ("1e3", 1000.0),
        ("true", True),
        ("null", None),
        ('"20"', "20"),
        ('"[draft]"', "[draft]"),
        ('""', ""),
        ("[1, 1.0]", [1, 1.0]),
        ('{"a": "1"}', {"a": "1"}),
        ("", ""),
        (" ", " "),
        ("007", "007"),
        ("2026-10-25T02:30:00.123456+01:00", "2026-10-25T02:30:00.123456+01:00"),
        ("a=b", "a=b"),
        ("True", "True"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("1,2", "1,2"),
        ("-", "-"),
    ],
)
def test_a_value_is_the_json_or_else_the_text(text: str, value: Any) -> None:
    assert (parsed(text), type(parsed(text))) == (value, type(value))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_json_arrives_as_it_was_written(value: Any) -> None:
    received = msgspec.json.decode(msgspec.json.encode(parsed(json.dumps(value))))
    assert json.dumps(received) == json.dumps(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1,}', "unexpected '}' at character 9"),
        ("{'a': 1}", 'unexpected "\'" at character 2'),
        ('{"a": 1} b', "unexpected 'b' at character 10"),
        ("[1, 2", "it ends too early"),
        ("[draft] report", "unexpected 'd' at character 2"),
        (" [1,\n2,]", "unexpected ']' at character 8"),
        ('"20', "the text that begins at character 1 has no closing quote"),
        ("[NaN]", "NaN is not a JSON number"),
        ("[" * 100_000, "it is nested too deeply"),
        ('"\\ud800"', "it is not valid Unicode"),
        ("0.1000000000000000000000001", "has more digits than a JSON number keeps (0.1)"),
        ('{"a": [12345678901234567.5]}', "has more digits than a JSON number keeps (1.2345678901234568e+16)"),
        ("1e400", "1e400 is too large for a JSON number"),
        ('{"a": 1, "a": 2}', "the key 'a' occurs twice in one object"),
        ('[{"b": {"a": 1, "\\u0061": 1}}]', "the key 'a' occurs twice in one object"),
        ("9" * 5000, "a number of 5000 digits is too long"),
    ],
)
def test_what_looks_like_json_and_is_not_is_refused_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        parsed(text)
    message = caught.value.message
    assert message.startswith("the value of x looks like JSON but is not valid: ")
    assert reason in message
    assert message.endswith("; correct it, or put it in double quotes to pass it as text.")


@pytest.mark.parametrize("argument", ["x", "=1", ""])
def test_without_a_key_there_is_no_value(argument: str) -> None:
    with pytest.raises(click.BadParameter, match="is not in the form key=json"):
        Assignment().convert(argument, None, None)
