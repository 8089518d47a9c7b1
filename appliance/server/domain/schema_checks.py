"""JSON schemas, which callers give, evaluated with a bound: regular expressions in linear time, and so many steps for one value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, UnknownType, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from appliance.kit.documents import JsonDocument

MOST_NODES = 5_000
"""Objects, lists and plain values in one schema."""
DEEPEST = 50
LONGEST_PATTERN = 1_000
MOST_STEPS = 100_000
"""Keywords that may be looked at for one value, some 10 µs each."""
_CHARACTERS_PER_STEP = 1_000
"""An error contains the whole value as text."""
_CLOSED: Registry[Any] = Registry()
"""Has no other documents: a schema that refers to an address must not make the server fetch it."""
_UNSUPPORTED = ("$dynamicRef", "unevaluatedItems", "unevaluatedProperties")
"""They look at what other keywords have matched, again and again."""
UNREADABLE = (SchemaError, UnknownType, Unresolvable, TypeError, KeyError, ValueError, AttributeError)
_Check = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]


class TooMuch(Exception):
    """The schema takes too many steps for this value, or uses a keyword without a bound."""


@dataclass
class _Budget:
    left: int
    per_error: int = 1

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooMuch


_budget: ContextVar[_Budget] = ContextVar("budget")


def is_readable(schema: JsonDocument) -> bool:
    """Is this a JSON schema of bounded size that values can be checked against, without any other document?"""
    try:
        _check_size(schema)
        Draft202012Validator.check_schema(schema)
        errors(schema, None)
    except (*UNREADABLE, TooMuch):
        return False
    return True


def errors(schema: JsonDocument, value: Any, formats: FormatChecker | None = None) -> list[ValidationError]:
    """How the value breaks the schema. Raises TooMuch, or one of UNREADABLE."""
    token = _budget.set(_Budget(MOST_STEPS, 1 + _size(value) // _CHARACTERS_PER_STEP))
    try:
        return list(_Bounded(schema, registry=_CLOSED, format_checker=formats).iter_errors(value))
    except RecursionError as error:
        raise TooMuch from error
    finally:
        _budget.reset(token)


def _check_size(schema: Any) -> None:
    nodes, waiting = 0, [(schema, 1)]
    while waiting:
        node, depth = waiting.pop()
        nodes += 1
        if nodes > MOST_NODES or depth > DEEPEST:
            raise TooMuch
        if isinstance(node, Mapping):
            for pattern in [node.get("pattern"), *_keys(node.get("patternProperties"))]:
                if isinstance(pattern, str):
                    _matcher(pattern)
            waiting += [(value, depth + 1) for value in node.values()]
        elif isinstance(node, list):
            waiting += [(value, depth + 1) for value in node]


def _keys(node: Any) -> list[Any]:
    return list(node) if isinstance(node, Mapping) else []


def _size(value: Any) -> int:
    """About as many characters as the value has as text."""
    size, waiting = 0, [value]
    while waiting:
        node = waiting.pop()
        size += len(node) if isinstance(node, str) else 5
        if isinstance(node, Mapping):
            waiting += [*node.keys(), *node.values()]
        elif isinstance(node, list):
            waiting += node
    return size


@lru_cache(maxsize=500)
def _matcher(pattern: str) -> Callable[[str], bool]:
    """Does a text contain a match? Raises ValueError if the pattern can't be matched in linear time."""
    from appliance.protocol.parameter_schemas import linear_matcher  # pydantic, loaded only for schemas with patterns

    if len(pattern) > LONGEST_PATTERN:
        raise ValueError("The pattern is too long.")
    return linear_matcher(pattern)


def _counted(check: _Check) -> _Check:
    def counted(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        budget = _budget.get()
        budget.spend(1)
        for error in check(validator, rule, instance, schema) or ():
            budget.spend(budget.per_error)
            yield error

    return counted


def _pattern(validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not _matcher(pattern)(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in patterns.items():
        for name, value in instance.items():
            _budget.get().spend(1)
            if _matcher(pattern)(name):
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in instance.items():
        _budget.get().spend(1 + len(patterns))
        if name in named or any(_matcher(pattern)(name) for pattern in patterns):
            continue
        if validator.is_type(rule, "object"):
            yield from validator.descend(value, rule, path=name)
        elif rule is False:
            yield ValidationError(f"{name!r} is not one of its properties")


def _unique_items(validator: Any, rule: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if rule and validator.is_type(instance, "array"):
        _budget.get().spend(_size(instance) // 10)
        if len({_comparable(item) for item in instance}) < len(instance):
            yield ValidationError("some of its items are the same")


def _comparable(value: Any) -> Any:
    """Equal for equal JSON values, and hashable: 1 is 1.0, but not true."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return ("list", tuple(map(_comparable, value)))
    if isinstance(value, Mapping):
        return ("object", frozenset((name, _comparable(one)) for name, one in value.items()))
    return value


def _unsupported(*_: Any) -> Iterator[ValidationError]:
    raise TooMuch


_OWN: dict[str, _Check] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
    **dict.fromkeys(_UNSUPPORTED, _unsupported),
}
_Bounded: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {name: _counted(check) for name, check in {**dict(Draft202012Validator.VALIDATORS), **_OWN}.items()},
)
