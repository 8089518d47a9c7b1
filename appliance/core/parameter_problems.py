"""What pydantic found wrong with a parameter's value, as one sentence for each field."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

_MOST = 20
_shortened = reprlib.Repr()
_shortened.maxstring = _shortened.maxother = 60
_shortened.maxlist = _shortened.maxdict = _shortened.maxset = _shortened.maxtuple = 4


def sentences(name: str, value: Any, error: ValidationError, subject: str) -> Iterator[str]:
    """`Parameter 'order.items[2].price': must be greater than 0, got -1.`; at most twenty of them."""
    problems: dict[str, tuple[list[str], Any]] = {}
    for one in error.errors(include_url=False, include_context=False):
        reasons, _ = problems.setdefault(name + _path(value, one), ([], one["input"]))
        if (reason := _reason(one["msg"])) not in reasons:
            reasons.append(reason)
    for number, (path, (reasons, wrong)) in enumerate(problems.items()):
        if number == _MOST:
            yield f"{subject} {name!r}: {len(problems) - _MOST} more fields don't fit."
            return
        is_missing = reasons == ["is required"]
        got = "" if is_missing else f", got {_shortened.repr(wrong)}"
        yield f"{subject} {path!r}: {' or '.join(reasons)}{got}."


def _path(value: Any, error: Mapping[str, Any]) -> str:
    """The path within the value, such as `.items[2].price`, without steps that are not part of it (which union member was tried)."""
    path, at = "", value
    steps = error["loc"]
    for number, step in enumerate(steps):
        if isinstance(step, int) and isinstance(at, list | tuple) and step < len(at):
            path, at = f"{path}[{step}]", at[step]
        elif isinstance(at, Mapping) and step in at:
            path, at = f"{path}.{step}", at[step]
        elif not isinstance(step, int) and hasattr(at, step):
            path, at = f"{path}.{step}", getattr(at, step)
        elif number == len(steps) - 1 and error["type"] == "missing":
            path = f"{path}.{step}"
    return path


def _reason(message: str) -> str:
    if message == "Field required":
        return "is required"
    for prefix, plain in (("Input should ", "must "), ("Value error, ", ""), ("Assertion failed, ", "")):
        if message.startswith(prefix):
            return (plain + message.removeprefix(prefix)).rstrip(".")
    return message[:1].lower() + message[1:].rstrip(".")
