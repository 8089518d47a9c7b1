"""Makes `typing.TypedDict` known to pydantic, which before Python 3.12 reads only that of `typing_extensions`."""

from __future__ import annotations

import sys
import types
import typing
from typing import Annotated, Any, NotRequired, Required, Union

import typing_extensions

READS_ALL = sys.version_info >= (3, 12)


def readable(hint: Any) -> Any:
    """The type hint with readable classes in place of each TypedDict in it, however deep in unions, collections and other TypedDicts.

    Raises NameError or TypeError for one that can't be evaluated.
    """
    return hint if READS_ALL else _readable(hint, ())


def _readable(hint: Any, within: tuple[Any, ...]) -> Any:
    if typing.is_typeddict(hint) and type(hint).__module__ == "typing":
        return hint if hint in within else _copy(hint, (*within, hint))  # one that contains itself stays as it is
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is None or origin is typing.Literal or typing.is_typeddict(origin):
        return hint
    if origin is Annotated:
        kind = _readable(hint.__origin__, within)
        return hint if kind is hint.__origin__ else Annotated[(kind, *hint.__metadata__)]
    new = tuple(_readable(one, within) if not isinstance(one, list) else one for one in arguments)
    if all(a is b for a, b in zip(new, arguments, strict=True)):
        return hint
    if origin in (Union, types.UnionType):
        return Union[new]  # noqa: UP007 - made from values
    return types.GenericAlias(origin, new)


def _copy(kind: Any, within: tuple[Any, ...]) -> Any:
    fields = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        origin = typing.get_origin(hint)
        needed = origin is Required or (origin is not NotRequired and name in kind.__required_keys__)
        if origin in (Required, NotRequired):
            (hint,) = typing.get_args(hint)
        fields[name] = (Required if needed else NotRequired)[_readable(hint, within)]
    make: Any = typing_extensions.TypedDict
    new = make(kind.__name__, fields)
    for name in ("__module__", "__qualname__", "__doc__", "__pydantic_config__"):
        if hasattr(kind, name):
            setattr(new, name, getattr(kind, name))
    return new
