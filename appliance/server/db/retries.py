"""Doing an action again that Postgres undid as a whole, because it met others or its connection was lost before the commit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from appliance.kit import backoff, clock
from appliance.server.db.session import commits_of_this_thread
from appliance.server.errors import Contended, Interrupted

P = ParamSpec("P")
R = TypeVar("R")

_TIMES = 3
_SOON = 1.0
"""A connection that was lost sooner was cut; one that fell silent takes its caller's time, and the next would as well."""


def retried(action: Callable[P, R]) -> Callable[P, R]:
    """An action that is one transaction: again up to three times when it met others, once when its connection was cut.

    Nothing is done twice: as soon as anything was committed, or may have been, the fault is the caller's to know.
    """

    @wraps(action)
    def done(*arguments: P.args, **options: P.kwargs) -> R:
        tries, pauses = 0, backoff.delays(0.1, 1.0, factor=3)
        while True:
            before, began = commits_of_this_thread(), clock.monotonic()
            try:
                return action(*arguments, **options)
            except (Contended, Interrupted) as error:
                met = isinstance(error, Contended)
                again = tries < _TIMES if met else tries == 0 and clock.monotonic() - began < _SOON
                if not again or commits_of_this_thread() != before:
                    raise
            tries += 1
            threading.Event().wait(next(pauses))

    return done
