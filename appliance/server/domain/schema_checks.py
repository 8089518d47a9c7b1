"""JSON schemas, which callers give, evaluated with a bound: so many steps for all values of a run, and regular expressions in linear time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, UnknownType, ValidationError
from jsonschema.validators import create

from appliance.kit.documents import JsonDocument
from appliance.server.domain.meta_schemas import check_schema
from appliance.server.domain.patterns import compiled

MOST_NODES = 5_000
"""Objects, lists and plain values in one schema."""
MOST_NODES_IN_ALL = 20_000
DEEPEST = 50
MOST_STEPS = 40_000
"""Of some 5 µs each: a fifth of a second."""
_ENTRIES_PER_STEP = 20
_CHARACTERS_PER_STEP = 300
"""An error contains the whole value as text."""
_PLAIN = frozenset({"type", "title", "description"})
_PLAIN_ITEMS_PER_STEP = 10
_PER_BOOLEAN = 2
"""For a part of a schema that is just true or false."""
_UNSUPPORTED = ("$dynamicRef", "unevaluatedItems", "unevaluatedProperties")
"""They look at what other keywords have matched, again and again."""
UNREADABLE = (SchemaError, UnknownType, TypeError, KeyError, IndexError, ValueError, AttributeError)
_Check = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]


class TooMuch(Exception):
    """The schemas take too many steps for these values, or use a keyword without a bound."""


@dataclass
class Budget:
    """What is left for the checks of one run or registration."""

    left: int
    per_error: int = 1
    root: Any = None
    enums: dict[int, frozenset[Any]] = field(default_factory=dict)

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooMuch


_budget: ContextVar[Budget] = ContextVar("budget")


@contextmanager
def budget(steps: int = MOST_STEPS) -> Iterator[Budget]:
    """Limit the checks in this block, all together, to a number of steps."""
    work = Budget(steps)
    token = _budget.set(work)
    try:
        yield work
    finally:
        _budget.reset(token)


def first_unreadable(schemas: Iterable[tuple[str, JsonDocument]]) -> str | None:
    """The name of the first schema against which values can't be checked, because it is not a JSON schema, needs another document, or has no
    bound; None if there is none."""
    left = MOST_NODES_IN_ALL
    with budget():
        for name, schema in schemas:
            try:
                left -= _check_size(schema, min(left, MOST_NODES))
                check_schema(schema)
                errors(schema, None)
            except (*UNREADABLE, TooMuch, RecursionError):
                return name
    return None


def errors(schema: JsonDocument, value: Any, formats: FormatChecker | None = None) -> list[ValidationError]:
    """How the value breaks the schema. To be called within a `budget`. Raises TooMuch, or one of UNREADABLE."""
    if "$schema" in schema:
        schema = {key: value for key, value in schema.items() if key != "$schema"}
    work = _budget.get()
    work.per_error, work.root = 1 + _size(value) // _CHARACTERS_PER_STEP, schema
    work.enums.clear()
    try:
        return list(_Bounded(schema, format_checker=formats).iter_errors(value))
    except RecursionError as error:
        raise TooMuch from error


def _check_size(schema: Any, most: int) -> int:
    """How many nodes the schema has."""
    nodes, waiting = 0, [(schema, 1)]
    while waiting:
        node, depth = waiting.pop()
        nodes += 1
        if nodes > most or depth > DEEPEST:
            raise TooMuch
        if isinstance(node, Mapping):
            for pattern in [node.get("pattern"), *_keys(node.get("patternProperties"))]:
                if isinstance(pattern, str):
                    _budget.get().spend(compiled(pattern).compile_steps)
            waiting += [(value, depth + 1) for value in node.values()]
        elif isinstance(node, list):
            waiting += [(value, depth + 1) for value in node]
    return nodes


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


def _matches(pattern: str, text: str) -> bool:
    """Does the text contain a match?"""
    expression = compiled(pattern)
    steps = expression.steps(text)
    if steps is None:
        raise TooMuch
    _budget.get().spend(steps)
    return expression.matches(text)


def _counted(check: _Check) -> _Check:
    def counted(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        work = _budget.get()
        if isinstance(instance, str):
            work.spend(len(instance) // _CHARACTERS_PER_STEP)
        for error in check(validator, rule, instance, schema) or ():
            work.spend(work.per_error)
            yield error

    return counted


def _pattern(validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not _matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in patterns.items():
        for name, value in instance.items():
            if _matches(pattern, name):
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object") or _is_anything(rule):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in instance.items():
        if name in named or any(_matches(pattern, name) for pattern in patterns):
            continue
        if validator.is_type(rule, "object"):
            yield from validator.descend(value, rule, path=name)
        elif rule is False:
            yield ValidationError(f"{name!r} is not one of its properties")


def _property_names(validator: Any, rule: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "object") and not _is_anything(rule):
        for name in instance:
            yield from validator.descend(name, rule)


def _contains(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """As in the original, which would count the keywords of the rule once for all items."""
    if not validator.is_type(instance, "array"):
        return
    least, most = schema.get("minContains", 1), schema.get("maxContains", len(instance))
    matches = len(instance) if _is_anything(rule) else 0
    for item in () if matches else instance:
        matches += next(validator.descend(item, rule), None) is None
        if matches > most:
            break
    if matches > most:
        yield ValidationError(f"more than {most} of its items fit")
    elif matches < least:
        yield ValidationError(f"only {matches} of its items fit, not {least}")


def _unique_items(validator: Any, rule: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if rule and validator.is_type(instance, "array"):
        _budget.get().spend(_size(instance) // 10)
        if len({_comparable(item) for item in instance}) < len(instance):
            yield ValidationError("some of its items are the same")


def _enum(_validator: Any, rule: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    known = _budget.get().enums
    if id(rule) not in known:
        _budget.get().spend(_size(rule) // 10)
        known[id(rule)] = frozenset(_comparable(item) for item in rule)
    _budget.get().spend(_size(instance) // 10)
    if _comparable(instance) not in known[id(rule)]:
        yield ValidationError(f"{instance!r} is not one of the values that it may have")


def _const(_validator: Any, rule: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    _budget.get().spend((_size(rule) + _size(instance)) // 10)
    if _comparable(instance) != _comparable(rule):
        yield ValidationError(f"{str(rule)[:200]} was expected")


def _items(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """As in the original; a list of plain values, which may be long, is looked through at once."""
    if not validator.is_type(instance, "array") or _is_anything(rule):
        return
    first = len(schema.get("prefixItems", ()))
    if first < len(instance) and isinstance(rule, Mapping) and rule and rule.keys() <= _PLAIN and "type" in rule:
        kinds = [rule["type"]] if isinstance(rule["type"], str) else rule["type"]
        _budget.get().spend((len(instance) - first) * len(kinds) // _PLAIN_ITEMS_PER_STEP)
        if all(any(validator.is_type(item, kind) for kind in kinds) for item in instance[first:]):
            return
    if rule is False and len(instance) > first:
        yield ValidationError(f"its length must not be more than {first}")
        return
    for index in range(first, len(instance)):
        yield from validator.descend(instance[index], rule, path=index)


def _is_anything(rule: Any) -> bool:
    return rule is True or rule == {}


def _reference(validator: Any, rule: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """A reference within the schema itself: a JSON pointer, as `#/$defs/Address`."""
    if not rule.startswith("#/") and rule != "#":
        raise ValueError("A schema refers to its own parts alone.")
    target = _budget.get().root
    for part in rule.split("/")[1:]:
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        target = target[int(key) if isinstance(target, list) else key]
        _budget.get().spend(1)
    yield from validator.descend(instance, target)


def _comparable(value: Any) -> Any:
    """Equal for equal JSON values, and hashable: 1 is 1.0, but not true."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return ("list", tuple(map(_comparable, value)))
    if isinstance(value, Mapping):
        return ("object", frozenset((name, _comparable(one)) for name, one in value.items()))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return ("number", hex(value))  # numbers can be chosen so that all have one hash, texts can't
    return value


def _unsupported(*_: Any) -> Iterator[ValidationError]:
    raise TooMuch


def _keywords(schema: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """The keywords of a schema, counted: its own entries, and those of each keyword, which are gone through for each value."""
    if "$schema" in schema:  # the library would evaluate this part by another draft, without our bounds
        raise ValueError("A part of a schema can't follow another draft.")
    entries = sum(len(rule) for rule in schema.values() if isinstance(rule, Mapping | list))
    _budget.get().spend(1 + (len(schema) + entries) // _ENTRIES_PER_STEP)
    return schema.items()


_OWN: dict[str, _Check] = {
    "$ref": _reference,
    "const": _const,
    "contains": _contains,
    "enum": _enum,
    "items": _items,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "propertyNames": _property_names,
    "uniqueItems": _unique_items,
    **dict.fromkeys(_UNSUPPORTED, _unsupported),
}
_Bounded: Any = create(
    meta_schema={},
    validators={name: _counted(check) for name, check in {**dict(Draft202012Validator.VALIDATORS), **_OWN}.items()},
    type_checker=Draft202012Validator.TYPE_CHECKER,
    id_of=lambda _schema: "",  # only parts of the schema itself are referred to
    applicable_validators=_keywords,  # type: ignore[arg-type]
)
_descend, _evolve = _Bounded.descend, _Bounded.evolve


def _counted_descend(validator: Any, instance: Any, schema: Any, *places: Any, **options: Any) -> Any:
    """A schema that is just true or false has no keywords that could be counted. True costs next to nothing here."""
    if schema is False:
        _budget.get().spend(_PER_BOOLEAN)
    return _descend(validator, instance, schema, *places, **options)


def _counted_evolve(validator: Any, **changes: Any) -> Any:
    if isinstance(changes.get("schema"), bool):
        _budget.get().spend(_PER_BOOLEAN)
    return _evolve(validator, **changes)


_Bounded.descend, _Bounded.evolve = _counted_descend, _counted_evolve
