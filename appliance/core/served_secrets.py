"""The secrets that the server gives a run: each is asked for once, when it is first needed, and kept in memory only.

The run's own process asks. Code of the run that an executor carries to another process brings along what it may need.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from appliance.core import masking
from appliance.core.errors import SecretError

Served = str | SecretError
"""A value, or why there is none."""

current: ContextVar[Mapping[str, Served] | None] = ContextVar("carried_secrets", default=None)
"""What code that came from another process has brought along."""
_lock = threading.Lock()


class _Source:
    """Where this process gets secrets; it works for one run."""

    ask: Callable[[str], str] | None = None
    declared: tuple[str, ...] = ()
    known: dict[str, str] = {}


def connect(ask: Callable[[str], str], declared: Iterable[str]) -> None:
    """From now on, ask the server. `ask` returns a value or raises SecretError; `declared` are the names that it may be asked for."""
    _Source.ask, _Source.declared, _Source.known = ask, tuple(declared), {}


def declared() -> tuple[str, ...] | None:
    """The secrets that the flow of this run declares; None without a server."""
    return None if _Source.ask is None else _Source.declared


def get(name: str) -> Served | None:
    """The secret, or why the server doesn't give it; None where there is no server."""
    carried = current.get()
    if carried is not None:
        return carried.get(
            name, SecretError("The flow doesn't declare it, which is needed where an executor runs its tasks.")
        )
    if _Source.ask is None:
        return None
    with _lock:  # tasks that need it at the same time ask once
        if name not in _Source.known:
            try:
                value = _Source.ask(name)
            except SecretError as error:
                return error
            masking.hide(value)
            _Source.known[name] = value
        return _Source.known[name]


@contextmanager
def carried(secrets: Mapping[str, Served]) -> Iterator[None]:
    """In this block, code that came from another process has these secrets."""
    token = current.set(secrets)
    try:
        yield
    finally:
        current.reset(token)
