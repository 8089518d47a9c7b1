"""The values that must not be shown: every secret read in this process, in the forms in which programs usually print it.

They are kept per process rather than per run, so that no thread and no library can leak a secret.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from appliance.core.states import State

MASK = "***"
SHORTEST = 4
"""The minimum length of a masked value; masking shorter ones would garble every line and protect nothing."""
_SHORTEST_LINE = 8

_S = TypeVar("_S", bound=State)
_lock = threading.Lock()
_values: tuple[str, ...] = ()
_forms: tuple[str, ...] = ()


def hide(*values: str) -> None:
    """Mask these values from now on wherever the run shows text."""
    global _values, _forms
    with _lock:
        new = [value for value in dict.fromkeys(values) if len(value) >= SHORTEST and value not in _values]
        if new:
            _values = (*_values, *new)
            _forms = tuple(sorted({*_forms, *(form for value in new for form in forms(value))}, key=len, reverse=True))


def hidden() -> tuple[str, ...]:
    """The values themselves, for another process that does work for this one."""
    return _values


def forms(value: str) -> Iterator[str]:
    """How a value looks when printed plainly, as repr, in JSON, in a URL and in base64; if it has several lines, also each long one."""
    import json  # most runs read no secret, and importing the SDK stays cheap
    from urllib.parse import quote, quote_plus

    yield value
    yield repr(value)[1:-1]
    yield repr(value + "'")[1:-2]  # with the other quotes
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    data = value.encode("utf-8", "surrogatepass")
    yield from (quote(data, safe=""), quote(data), quote_plus(data))
    yield from _in_base64(data)
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE)


def _in_base64(data: bytes) -> Iterator[str]:
    """The part of any base64 text that encodes `data` alone, at each of the three offsets at which it may start."""
    import base64

    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(data).decode("ascii").rstrip("=")
        for offset, start in enumerate((0, 2, 3)):
            padded = bytes(offset) + data
            yield encode(padded).decode("ascii")[start : len(padded) * 8 // 6]


def mask(text: str) -> str:
    """The text with every known secret replaced."""
    for form in _forms:
        if form in text:
            text = text.replace(form, MASK)
    return text


def mask_state(state: _S) -> _S:
    """The state as it may be shown: the message and the JSON data are masked, the result stays."""
    if not _forms:
        return state
    message = None if state.message is None else mask(state.message)
    data = mask_document(state.data)
    if message == state.message and data == state.data:
        return state
    return replace(state, message=message, data=data)


def mask_document(value: Any) -> Any:
    """The JSON value with every text in it masked."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {key: mask_document(item) for key, item in value.items()}
    return [mask_document(item) for item in value] if isinstance(value, list) else value


def texts(value: Any) -> Iterable[str]:
    """The strings inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
