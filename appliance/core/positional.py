"""Builtins as functions of named arguments: most of them take theirs by position only, or do not say which they take."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any

_MOST = 16
"""How many arguments a builtin may be given that takes any number, or doesn't say how many."""
_UNNAMED = (Parameter.POSITIONAL_ONLY, Parameter.VAR_POSITIONAL)


class ByName:
    """Calls `function` with the arguments of these names by position, and all others by name."""

    def __init__(self, function: Callable[..., Any], names: list[str], signature: inspect.Signature) -> None:
        self.function, self.names, self.__signature__ = function, names, signature
        self.__wrapped__ = function

    def __call__(self, /, *args: Any, **inputs: Any) -> Any:
        names = self.names[len(args) :]
        given = [name for name in names if name in inputs]
        if given != names[: len(given)]:
            missing = next(name for name in names if name not in given)
            raise TypeError(f"{missing!r} needs a value, because the arguments after it go by position.")
        positional = [inputs.pop(name) for name in given]
        return self.function(*args, *positional, **inputs)


def by_name(function: Callable[..., Any]) -> Callable[..., Any]:
    """A builtin as a function whose arguments all have names; functions written in Python are returned unchanged.

    What a builtin takes as `*args`, or doesn't describe, is named `arg_1`, `arg_2` and so on.
    """
    if _is_python(function):
        return function
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # silent about its arguments
        parameters = [Parameter("args", Parameter.VAR_POSITIONAL), Parameter("kwargs", Parameter.VAR_KEYWORD)]
    if _dispatches(function):  # on the class of its first argument, which it doesn't look for among the named ones
        parameters[:1] = [parameter.replace(kind=Parameter.POSITIONAL_ONLY) for parameter in parameters[:1]]
    by_position = [named for parameter in parameters for named in _named(parameter)]
    others = [parameter for parameter in parameters if parameter.kind not in _UNNAMED]
    names = [parameter.name for parameter in by_position]
    return ByName(function, names, inspect.Signature([*by_position, *others]))


def _named(parameter: Parameter) -> list[Parameter]:
    kind = Parameter.POSITIONAL_OR_KEYWORD
    if parameter.kind is Parameter.VAR_POSITIONAL:
        return [Parameter(f"arg_{number}", kind, default=None) for number in range(1, _MOST + 1)]
    return [parameter.replace(kind=kind)] if parameter.kind is Parameter.POSITIONAL_ONLY else []


def _dispatches(function: Any) -> bool:
    """Is it a function of `functools.singledispatch`?"""
    return inspect.isfunction(function) and hasattr(function, "dispatch") and hasattr(function, "registry")


def _is_python(function: Any) -> bool:
    """Is its signature one that its author wrote in Python, and that says how to call it?"""
    if _dispatches(function):
        return False
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, type):
        cls: Any = function
        function = cls.__init__ if cls.__new__ is object.__new__ else cls.__new__
    elif not inspect.isroutine(function):
        function = type(function).__call__
    return inspect.isfunction(inspect.unwrap(getattr(function, "__func__", function)))
