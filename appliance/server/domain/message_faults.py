"""What is wrong with a message, in a sentence that names the field and says what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import inspect

from appliance.kit import suggestions

_AT = re.compile(r"^(?P<reason>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_FIELD = re.compile(r"unknown field `(.*)`$", re.DOTALL)
_VALUE = re.compile(r"enum value '(.*)'$", re.DOTALL)
_STEP = re.compile(r"[^.\[\]]+|\[[^\]]*\]")


def sentence(error: str, kind: type, *, camel_case: bool = False) -> str:
    """The sentence for what msgspec says of a message of this kind. In GraphQL, fields are written in `camel_case`."""
    match = _AT.match(error)
    reason, path = (match["reason"], match["path"] or "") if match else (error, "")
    reason = reason[:1].lower() + reason[1:300] + (_hint(kind, path, reason) or ".")
    if camel_case:
        path = re.sub(r"_(\w)", lambda letter: letter[1].upper(), path)
    return f"The field {path[:100]} is not valid: {reason}" if path else f"The request is not valid: {reason}"


def _hint(kind: type, path: str, reason: str) -> str:
    """The end of the sentence, such as `; did you mean 'states'?`. Empty if the reason is another one."""
    field, value = _FIELD.search(reason), _VALUE.search(reason)
    if field is None and value is None:
        return ""
    types = _types_at(inspect.type_info(kind), path)
    if field is not None:
        names = [one.encode_name for type in types if isinstance(type, inspect.StructType) for one in type.fields]
        return f"; {suggestions.hint(field[1][:80], names, 'it takes')}"
    assert value is not None
    values = [str(one) for type in types if isinstance(type, inspect.LiteralType) for one in type.values]
    return f"; {suggestions.hint(value[1][:80], values, 'use one of')}" if values else ""


def _types_at(kind: inspect.Type, path: str) -> list[inspect.Type]:
    types = list(_alternatives(kind))
    for step in _STEP.findall(path):
        types = [each for one in types for inner in _inside(one, step) for each in _alternatives(inner)]
    return types


def _alternatives(kind: inspect.Type) -> Iterable[inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        return _alternatives(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [each for one in kind.types for each in _alternatives(one)]
    return [kind]


def _inside(kind: inspect.Type, step: str) -> Iterable[inspect.Type]:
    if isinstance(kind, inspect.StructType):
        return [field.type for field in kind.fields if field.encode_name == step]
    if isinstance(kind, inspect.DictType):
        return [kind.value_type]
    return [kind.item_type] if isinstance(kind, inspect.ListType) else []
