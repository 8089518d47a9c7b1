"""Removes one level of nesting from an upstream result. A mapped child that has nothing to flatten concerns its own element only.

A skipped child is left out, a failed one is one element that failed, and so is one that returned something without elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from appliance.core import dealing
from appliance.core.states import Failed, Mapped, Skipped, State, Success


class NothingToFlatten(TypeError):
    """A result has no elements, or one of them has none."""


class NotNested(Failed):
    """The part of a mapped child that returned something without elements; its message says so."""


def elements(state: State, name: str) -> list[State]:
    """The result of task `name`, flattened, as one state per element. Raises NothingToFlatten."""
    return [element for part in _parts(state, name) for element in _elements(part)]


def whole(state: State, name: str) -> State:
    """The state of task `name` with its result flattened, for a task that gets all elements at once."""
    if isinstance(state, Skipped) or not isinstance(state, Success):
        return state
    try:
        parts = list(_parts(state, name))
        flat = [element.result for part in parts for element in _elements(part)]
    except Exception as error:  # noqa: BLE001 - also methods of a user's class
        return NotNested(f"There is nothing to flatten: {error}", error)
    if isinstance(state, Mapped):
        return Mapped(state.message, flat, state.context, state.data, parts, len(parts))
    return Success(state.message, flat, state.context, state.data)


def _parts(state: State, name: str) -> Iterator[State]:
    """The children of a mapped task, or the items of a plain result, each of which is to be flattened."""
    if isinstance(state, Mapped):
        for index, child in enumerate(state.map_states):
            yield _checked(
                child, f"child {index} of task {name!r} returned {_kind(child.result)}; {dealing.advice(child.result)}."
            )
        return
    if not _is_nested(state.result):
        raise NothingToFlatten(f"task {name!r} returned {_kind(state.result)}; return a list of lists.")
    for index, value in enumerate(state.result):
        if not _is_nested(value):
            raise NothingToFlatten(
                f"item {index} of what task {name!r} returned is {_kind(value)}; return a list of lists."
            )
        yield Success(result=value)


def _checked(child: State, sentence: str) -> State:
    if not isinstance(child, Success) or isinstance(child, Skipped) or _is_nested(child.result):
        return child
    return NotNested(f"There is nothing to flatten: {sentence}", NothingToFlatten(sentence))


def _elements(part: State) -> Iterable[State]:
    if isinstance(part, Skipped):
        return ()
    return [Success(result=value) for value in part.result] if isinstance(part, Success) else (part,)


def _is_nested(value: Any) -> bool:
    """Can it be iterated over, as often as needed and in the same order? As when mapping, a mapping, a table and a set can't."""
    if isinstance(value, set | frozenset) or dealing.has_keys(value):
        return False
    try:
        return iter(value) is not value
    except TypeError:
        return False


def _kind(value: Any) -> str:
    return type(value).__name__
