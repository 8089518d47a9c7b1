"""Tells async functions from plain ones, for everything of an author's that is called where nothing can be awaited."""

from __future__ import annotations

import functools
import inspect
from typing import Any


def is_async(function: Any) -> bool:
    """Does calling it give something to await? Looks into partials, methods, and objects that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return True
    if isinstance(function, type) or not callable(function):
        return False
    call = type(function).__call__
    return inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)


def refuse_async(name: str, function: Any) -> None:
    """Raise TypeError, which says what to do instead, if the function given as `name` is async."""
    if is_async(function):
        raise TypeError(
            f"{name} can't be an async function; give a plain one (def), and do what must be awaited in a task."
        )


def discard(value: Any) -> Any:
    """Close a coroutine that nobody will await, so that Python doesn't warn about it. Returns the value."""
    if inspect.iscoroutine(value):
        value.close()
    return value


def plain_value(name: str, value: Any) -> Any:
    """What the function given as `name` returned. Raises TypeError for something to await, which nobody will."""
    if not (inspect.isawaitable(value) or inspect.isasyncgen(value)):
        return value
    discard(value)
    raise TypeError(
        f"{name} returned a {type(value).__name__}, which is not awaited; give a plain function that returns the value itself."
    )
