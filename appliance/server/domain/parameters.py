"""The values that a run gets for its flow's parameters: defaults, overrides and the request's values merged, then checked.

One clear sentence per problem, each with the parameter's name.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import msgspec
from jsonschema import FormatChecker
from jsonschema.exceptions import ValidationError

from appliance.kit import effort, ids, suggestions
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
_MOST_LISTED = 20
MOST_PROBLEMS = 50
"""How many sentences say what is wrong."""
_MOST_UNKNOWN = 5
"""Of so many, the ones that were meant are looked for."""
MOST_PARAMETERS = 1_000
"""Of a flow, and values of a run."""


def merge(declared: Sequence[JsonDocument], *layers: Parameters) -> Parameters:
    """The declared defaults, each later layer over them. A default of 0, False or "" counts like any other."""
    values = {item["name"]: item.get("default") for item in declared if not item.get("required")}
    for layer in layers:
        values.update(layer)
    return values


def problems(declared: Sequence[JsonDocument], values: Parameters) -> list[str]:
    """What is wrong with `values`, one sentence each; empty when they fit. Raises TooLong when that would take too long here: its work
    remembers the answer."""
    if len(values) > MOST_PARAMETERS + len(declared):
        return [f"There are {len(values):,} values, and a flow has at most {MOST_PARAMETERS:,} parameters."]
    allowed = effort.left()
    if allowed is None:
        with schema_checks.budget():
            return _problems(declared, values, stop=False)
    try:
        with schema_checks.budget(min(allowed, schema_checks.MOST_STEPS)) as work:
            before, sentences = work.left, _problems(declared, values)
        effort.spend(before - work.left)
        return sentences
    except schema_checks.TooMuch:
        return _remembered(declared, values)


def _problems(declared: Sequence[JsonDocument], values: Parameters, *, stop: bool = True) -> list[str]:
    """With `stop`, TooMuch is raised when a value can't be checked within the budget; otherwise, a sentence says so."""
    names = {item["name"]: None for item in declared}
    unknown = [name for name in values if name not in names]
    sentences = [_unknown(name, names) for name in unknown[:_MOST_UNKNOWN]]
    for item in declared:
        name = item["name"]
        if len(sentences) >= MOST_PROBLEMS:
            break
        if name not in values:
            if item.get("required"):
                sentences.append(f"Parameter {_short(name)} is required; give it a value.")
        elif not (values[name] is None and not item.get("required") and item.get("default") is None):
            try:
                sentences.extend(_misfits(name, item.get("schema") or {}, values[name]))
            except schema_checks.TooMuch:
                if stop:
                    raise
                sentences.append(
                    f"Parameter {_short(name)} can't be checked: its schema takes too many steps for this value; simplify its type."
                )
                break
    return (sentences + unstorable(values))[:MOST_PROBLEMS]


_answers: OrderedDict[str, list[str]] = OrderedDict()
_answers_lock = threading.Lock()
_ANSWERS_KEPT = 64


def _remembered(declared: Sequence[JsonDocument], values: Parameters) -> list[str]:
    """The answer for values that take long to check."""
    key = ids.sha256(msgspec.json.encode((declared, values)).decode())
    with _answers_lock:
        if key in _answers:
            return _answers[key]
    raise effort.TooLong(partial(_remember, key, declared, values))


def _remember(key: str, declared: Sequence[JsonDocument], values: Parameters) -> None:
    sentences = problems(declared, values)
    with _answers_lock:
        _answers[key] = sentences
        while len(_answers) > _ANSWERS_KEPT:
            _answers.popitem(last=False)


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


def _unknown(name: str, names: dict[str, None]) -> str:
    close = suggestions.closest(name, names)
    if close is not None:
        return f"The flow has no parameter {name!r}; did you mean {close!r}?"
    listed = ", ".join(map(_short, list(names)[:_MOST_LISTED])) + (", and others" if len(names) > _MOST_LISTED else "")
    return f"The flow has no parameter {_short(name)}; it has {listed or 'none'}."


def _misfits(name: str, schema: Any, value: Any) -> list[str]:
    try:
        errors = sorted(schema_checks.errors(schema, value, _formats()), key=lambda error: list(map(str, error.path)))
        return [_sentence(name, error) for error in errors[:3]]
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
    where = _short(name) + "".join(f"[{_short(part)}]" for part in list(error.path)[:10])
    value = _show(error.instance)
    if error.validator == "type":
        kinds = rule if isinstance(rule, list) else [rule]
        nouns = " or ".join(_NOUNS.get(str(kind), str(kind)) for kind in kinds)
        return f"Parameter {where} must be {nouns}, not {value}."
    if error.validator in ("anyOf", "oneOf") and (nouns := _nouns_of(rule)):
        return f"Parameter {where} must be {nouns}, not {value}."
    if error.validator == "enum":
        more = ", and others" if len(rule) > _MOST_LISTED else ""
        return f"Parameter {where} must be one of {', '.join(map(_show, rule[:_MOST_LISTED]))}{more}, not {value}."
    return f"Parameter {where} does not fit: {error.message[:200]}."


def _short(part: Any) -> str:
    """A name or index as it is written in a sentence."""
    return repr(part if not isinstance(part, str) or len(part) <= _LONGEST_VALUE else part[: _LONGEST_VALUE - 1] + "…")


def _nouns_of(options: Any) -> str:
    kinds = [str(option.get("type")) for option in options if isinstance(option, dict)]
    return " or ".join(_NOUNS[kind] for kind in kinds) if kinds and all(kind in _NOUNS for kind in kinds) else ""


def _show(value: Any) -> str:
    text = {True: "true", False: "false", None: "null"}.get(value) if value is None or isinstance(value, bool) else None
    text = text or repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
