"""The values that a run gets for its flow's parameters: defaults, overrides and the request's values merged, then checked.

One clear sentence per problem, each with the parameter's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache, partial
from typing import Any

from jsonschema import FormatChecker
from jsonschema.exceptions import ValidationError

from appliance.kit.documents import JsonDocument, Parameters
from appliance.protocol import parameter_values
from appliance.server.domain import schema_checks

_NOUNS = {
    "integer": "an integer",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_LONGEST_VALUE = 60


def merge(declared: Sequence[JsonDocument], *layers: Parameters) -> Parameters:
    """The declared defaults, each later layer over them. A default of 0, False or "" counts like any other."""
    values = {item["name"]: item.get("default") for item in declared if not item.get("required")}
    for layer in layers:
        values.update(layer)
    return values


def problems(declared: Sequence[JsonDocument], values: Parameters) -> list[str]:
    """What is wrong with `values`, one sentence each; empty when they fit."""
    names = [item["name"] for item in declared]
    sentences = [_unknown(name, names) for name in values if name not in names]
    for item in declared:
        name = item["name"]
        if name not in values:
            if item.get("required"):
                sentences.append(f"Parameter {name!r} is required; give it a value.")
        elif not (values[name] is None and not item.get("required") and item.get("default") is None):
            sentences.extend(_misfits(name, item.get("schema") or {}, values[name]))
    return sentences + unstorable(values)


def unstorable(values: Parameters) -> list[str]:
    """A sentence for each value with a NUL character. To replace it would be to run the flow with another value."""
    return [
        parameter_values.nul_problem(f"Parameter {name!r}")
        for name, value in values.items()
        if parameter_values.has_nul({name: value})
    ]


def missing(declared: Sequence[JsonDocument], *layers: Parameters) -> list[str]:
    """Required parameters that no layer gives a value."""
    return [
        item["name"] for item in declared if item.get("required") and not any(item["name"] in layer for layer in layers)
    ]


def _unknown(name: str, names: list[str]) -> str:
    close = get_close_matches(name, names, 1)
    if close:
        return f"The flow has no parameter {name!r}; did you mean {close[0]!r}?"
    return f"The flow has no parameter {name!r}; it has {', '.join(map(repr, names)) or 'none'}."


def _misfits(name: str, schema: Any, value: Any) -> list[str]:
    try:
        errors = sorted(schema_checks.errors(schema, value, _formats()), key=lambda error: list(map(str, error.path)))
        return [_sentence(name, error) for error in errors[:3]]
    except schema_checks.TooMuch:
        return [
            f"Parameter {name!r} can't be checked: its schema takes too many steps for this value; simplify its type."
        ]
    except schema_checks.UNREADABLE:
        return []  # registration refuses such schemas; with one that came another way, the run checks the value itself


@cache
def _formats() -> FormatChecker:
    """Dates, durations and the like, read as the run will read them."""
    from appliance.protocol import parameter_schemas  # pydantic, loaded only for flows with such parameters

    checker = FormatChecker(formats=())
    for name in parameter_schemas.FORMATS:
        checker.checks(name)(partial(parameter_schemas.has_format, name))
    return checker


def _sentence(name: str, error: ValidationError) -> str:
    rule: Any = error.validator_value
    where = "".join(f"[{part!r}]" for part in error.path)
    value = _show(error.instance)
    if error.validator == "type":
        kinds = rule if isinstance(rule, list) else [rule]
        nouns = " or ".join(_NOUNS.get(str(kind), str(kind)) for kind in kinds)
        return f"Parameter {name!r}{where} must be {nouns}, not {value}."
    if error.validator in ("anyOf", "oneOf") and (nouns := _nouns_of(rule)):
        return f"Parameter {name!r}{where} must be {nouns}, not {value}."
    if error.validator == "enum":
        return f"Parameter {name!r}{where} must be one of {', '.join(map(_show, rule))}, not {value}."
    return f"Parameter {name!r}{where} does not fit: {error.message[:200]}."


def _nouns_of(options: Any) -> str:
    kinds = [str(option.get("type")) for option in options if isinstance(option, dict)]
    return " or ".join(_NOUNS[kind] for kind in kinds) if kinds and all(kind in _NOUNS for kind in kinds) else ""


def _show(value: Any) -> str:
    text = {True: "true", False: "false", None: "null"}.get(value) if value is None or isinstance(value, bool) else None
    text = text or repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
