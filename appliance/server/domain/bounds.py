"""What a value from outside may be, whatever field it is in, on both databases alike: times from 2000 up to 2100, integers of 64 bits, texts
without NUL characters and not endlessly long.

The check of a message is worked out once from its type. Fields of the type `FreeText` and `FreeDocument` hold what a program wrote: they are
cleaned when they are stored, not refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import inspect

from appliance.protocol import parameter_values
from appliance.protocol.message import FREE, NAME
from appliance.server.errors import Invalid

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
INTEGERS = range(-(2**63), 2**63)
PARAMETERS = "parameters"
LONGEST_TEXT = 256 * 1024
"""Characters. Names, labels, and reasons have shorter limits of their own."""

_zone = attrgetter("tzinfo")
_ONLY_UTC = frozenset({UTC})

Check = Callable[[Any, str], None]
"""Checks a value, which has this path in its message. Raises Invalid."""
Fields = list[tuple[str, Check]]
"""The fields of a message that have bounds."""


def check_time(value: datetime, field: str) -> None:
    """Raise Invalid unless the time has an offset and is in range after its conversion to UTC."""
    if value.tzinfo is None:
        raise Invalid(f"The field {field} needs a time with an offset, as in 2026-01-31T06:30:00Z.")
    if not EARLIEST <= value < LATEST:  # the comparison converts, and never overflows
        raise Invalid(f"The field {field} must be between the years 2000 and 2100.")


def check_integer(value: int, field: str) -> None:
    """Raise Invalid for an integer that no column can hold."""
    if value not in INTEGERS:
        raise Invalid(f"The field {field} is out of range; use a whole number of at most 64 bits.")


def check_text(value: str, field: str) -> None:
    """Raise Invalid for a text that Postgres can't store, or that is too long for any field."""
    if "\0" in value:
        raise Invalid(f"The field {field} contains a NUL character; remove it.")
    if len(value) > LONGEST_TEXT:
        raise Invalid(f"The field {field} is too long; use at most {LONGEST_TEXT} characters.")


_BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that change the direction of what follows them."""


def check_name(value: str, field: str) -> None:
    """Raise Invalid for a name that would not stay on its line, or would turn round what follows it."""
    if not value.isascii() or not value.isprintable() or len(value) > LONGEST_TEXT:
        check_text(value, field)
        for character in value:
            if ord(character) < 32 or 127 <= ord(character) < 160 or character in "\u2028\u2029" + _BIDI:
                raise Invalid(f"The field {field} contains control characters; use one line of plain text.")


def check_document(value: Any, field: str) -> None:
    """Raise Invalid for a JSON document with a text that Postgres can't store. If it is in the value of a parameter, name that."""
    if isinstance(value, str):
        if "\0" in value:
            raise Invalid(f"The field {field} contains a NUL character; remove it.")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            check_document(key, field)
            if field == PARAMETERS and parameter_values.has_nul(item):
                raise Invalid(parameter_values.nul_problem(f"Parameter {key!r}"))
            check_document(item, PARAMETERS if key == PARAMETERS else field)
    elif isinstance(value, list | tuple):
        for item in value:
            check_document(item, field)


def check_of(kind: Any) -> Check | None:
    """The check for a type of messages; None if nothing in it has bounds."""
    return _Builder().of(inspect.type_info(kind))


class _Builder:
    def of(self, info: inspect.Type, extra: Mapping[str, Any] | None = None) -> Check | None:
        if isinstance(info, inspect.Metadata):
            return self.of(info.type, info.extra)
        if extra is not None and extra.get("text") == FREE:
            return None
        if isinstance(info, inspect.StrType):
            return check_name if extra is not None and extra.get("text") == NAME else check_text
        if isinstance(info, inspect.IntType):
            return check_integer
        if isinstance(info, inspect.DateTimeType):
            return check_time
        if isinstance(info, inspect.UnionType):
            return self._union(info)
        if isinstance(info, inspect.StructType):
            return self._struct(info)
        if isinstance(info, inspect.CollectionType):
            structs = self._structs(info.item_type)
            return _each(self.of(info.item_type)) if structs is None else _each_struct(structs)
        if isinstance(info, inspect.DictType | inspect.AnyType):
            return check_document
        return None

    def _struct(self, info: inspect.StructType) -> Check | None:
        checks = self._checks(info)
        return _fields(checks) if checks else None

    def _checks(self, info: inspect.StructType) -> Fields:
        return [(field.name, check) for field in info.fields if (check := self.of(_given(field.type))) is not None]

    def _structs(self, info: inspect.Type) -> dict[type, Fields] | None:
        """The checks of a message, or of each of several; None for anything else."""
        types = info.types if isinstance(info, inspect.UnionType) else (info,)
        structs = [one for one in types if isinstance(one, inspect.StructType)]
        return {one.cls: self._checks(one) for one in structs} if len(structs) == len(types) else None

    def _union(self, info: inspect.UnionType) -> Check | None:
        structs: dict[type, Check | None] = {}
        plain: list[tuple[type | tuple[type, ...], Check]] = []
        for inner in info.types:
            if isinstance(inner, inspect.StructType):
                structs[inner.cls] = self._struct(inner)
                continue
            bare, extra = (inner.type, inner.extra) if isinstance(inner, inspect.Metadata) else (inner, None)
            check = self.of(bare, extra)
            if check is not None:
                plain.append((_class_of(bare), check))
        if not plain:
            return _one_of(structs) if any(structs.values()) else None
        return _first_that_fits(plain)


def _given(info: inspect.Type) -> inspect.Type:
    """The type of a field that is not None, as whoever checks fields has made sure, if there is only one."""
    types = (
        [one for one in info.types if not isinstance(one, inspect.NoneType)]
        if isinstance(info, inspect.UnionType)
        else []
    )
    return types[0] if len(types) == 1 else info


def _class_of(info: inspect.Type) -> type | tuple[type, ...]:
    classes: list[tuple[type[inspect.Type], type | tuple[type, ...]]] = [
        (inspect.StrType, str),
        (inspect.IntType, int),
        (inspect.DateTimeType, datetime),
        (inspect.DictType, dict),
        (inspect.CollectionType, (list, tuple)),
    ]
    return next((classes_of_kind for kind, classes_of_kind in classes if isinstance(info, kind)), object)


def _each(check: Check | None) -> Check | None:
    if check is None:
        return None

    def each(value: Any, field: str) -> None:
        for item in value:
            check(item, field)

    return each


def _each_struct(structs: dict[type, Fields]) -> Check | None:
    """Checks a list of messages field by field: a report has hundreds of events, and few different values."""
    if not any(structs.values()):
        return None

    def each(messages: Any, _field: str) -> None:
        for kind, checks in structs.items():
            those = [message for message in messages if type(message) is kind]
            for name, check in checks if those else ():
                for value in _bounds_of(list(map(attrgetter(name), those)), check):
                    if value is not None and value is not msgspec.UNSET:
                        check(value, name)

    return each


def _bounds_of(values: list[Any], check: Check) -> Collection[Any]:
    """Those of the values that must be checked so that all are."""
    if check is check_text or check is check_name:
        return set(values)
    if check is check_integer:
        return _extremes([value for value in values if value.__class__ is int])
    if check is check_time:
        times = [value for value in values if value.__class__ is datetime]
        return _extremes(times) if set(map(_zone, times)) <= _ONLY_UTC else times
    return values


def _extremes(values: list[Any]) -> Collection[Any]:
    return (min(values), max(values)) if values else ()


def _fields(checks: Fields) -> Check:
    def fields(value: Any, field: str) -> None:
        for name, check in checks:
            item = getattr(value, name)
            if item is not None and item is not msgspec.UNSET:
                check(item, name)

    return fields


def _one_of(checks: dict[type, Check | None]) -> Check:
    def one_of(value: Any, field: str) -> None:
        check = checks.get(type(value))
        if check is not None:
            check(value, field)

    return one_of


def _first_that_fits(checks: list[tuple[type | tuple[type, ...], Check]]) -> Check:
    def first(value: Any, field: str) -> None:
        if value is None or isinstance(value, bool):
            return
        for kind, check in checks:
            if isinstance(value, kind):
                check(value, field)
                return

    return first
